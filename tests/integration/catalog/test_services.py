from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.people import Person, expect
from tests.support.waiting import eventually

NOBODYS = "01a20522-0000-7000-8000-000000000000"


async def pages(http: httpx.AsyncClient, path: str) -> list[list[dict[str, Any]]]:
    """All pages, by following `next`."""
    found = []
    following: str | None = path
    while following:
        page = expect(await http.get(following), 200)
        found.append(page["results"])
        following = page["next"]
    return found


def found(service: dict[str, Any]) -> dict[str, Any]:
    """The service as a list shows it that was not asked for what is near."""
    return service | {"distance_km": None}


async def test_what_a_worker_offers_can_be_found_and_read(http: httpx.AsyncClient, worker: Person) -> None:
    service = await worker.offer(price="1234.50", title=f"Piano {uuid4()}")

    listed = expect(await http.get("/api/services/", params={"worker": worker.id}), 200)["results"]
    read = expect(await http.get(f"/api/services/{service['id']}/"), 200)

    assert listed == [found(service)]
    assert read == service
    assert service["price"] == "1234.50"
    assert service["worker_name"] == "A worker"


async def test_a_service_offered_before_the_worker_is_known_here_carries_their_name(worker: Person) -> None:
    """Catalog's copy of the worker may lag behind the registration: then accounts is asked."""
    assert (await worker.offer())["worker_name"] == "A worker"


async def test_only_workers_offer(client: Person) -> None:
    body = {"title": "T", "description": "D", "category_id": str(uuid4()), "price": "1.00"}

    assert expect(await client.post("/api/services/", body), 403)["type"] == "forbidden"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "0"),
        ("price", "-1.00"),
        ("price", "1.001"),
        ("price", "NaN"),
        ("title", " "),
        ("title", "\x00"),
        ("category_id", NOBODYS),
        ("status", "active"),
        ("worker_id", NOBODYS),
    ],
)
async def test_what_can_not_be_offered_is_refused_by_name(worker: Person, field: str, value: str) -> None:
    category = expect(await worker.get("/api/services/categories/"), 200)["results"][0]["id"]
    body = {"title": "T", "description": "D", "category_id": category, "price": "1.00"}

    problem = expect(await worker.post("/api/services/", body | {field: value}), 422)

    assert [error["field"] for error in problem["errors"]] == [field]
    assert expect(await worker.get("/api/services/", worker=worker.id), 200)["results"] == []


@pytest.mark.parametrize("ordering", ["created_at", "-created_at", "price", "-price", "rating", "-rating"])
async def test_pages_follow_each_other_without_gap_or_repeat(worker: Person, ordering: str) -> None:
    for price in ("3.00", "1.00", "2.00", "2.00", "2.00", "5.00", "1.00"):  # ties included
        await worker.offer(price=price)
    path = f"/api/services/?worker={worker.id}&ordering={ordering}&limit=2"

    found = await pages(worker.http, path)

    assert [len(page) for page in found] == [2, 2, 2, 1]
    services = [service for page in found for service in page]
    assert len({service["id"] for service in services}) == 7
    field = ordering.removeprefix("-")
    values = [Decimal(s[field]) if field != "created_at" else s[field] for s in services]
    assert all((a >= b) if ordering.startswith("-") else (a <= b) for a, b in pairwise(values))


async def test_previous_leads_back_to_the_page_before(worker: Person) -> None:
    for _ in range(5):
        await worker.offer()
    first = expect(await worker.get("/api/services/", worker=worker.id, limit=2), 200)
    second = expect(await worker.http.get(first["next"]), 200)

    back = expect(await worker.http.get(second["previous"]), 200)

    assert back["results"] == first["results"]
    assert (first["previous"], back["previous"]) == (None, None)


@pytest.mark.parametrize("name", ["facets", "mine", "moderation"])
async def test_a_list_is_no_service(worker: Person, name: str) -> None:
    answer = await worker.http.delete(f"/api/services/{name}/", headers=worker.headers)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("cursor", ["x", "WzAsIngiXQ", "WzAsIjIwMjAtMDEtMDEiLCJ4Il0", "WzAsIk5hTiIsIngiXQ", "bnVsbA"])
async def test_a_cursor_of_ones_own_making_is_refused(http: httpx.AsyncClient, cursor: str) -> None:
    problem = expect(await http.get("/api/services/", params={"cursor": cursor}), 422)

    assert problem["errors"][0]["field"] == "cursor"


async def test_filters_combine(worker: Person) -> None:
    word = f"violin{uuid4().hex}"
    await worker.offer(price="100.00", title=f"{word} lessons")
    wanted = await worker.offer(price="200.00", title=f"{word} repair")
    await worker.offer(price="200.00", title="drums")

    answer = await worker.get("/api/services/", search=f"{word[:20]} rep", min_price="150", max_price="200.00")

    assert expect(answer, 200)["results"] == [found(wanted)]


@pytest.mark.parametrize("search", ["'", "a & | b", "\\", ":*", "!", "пиан", "o'zbek", "<->"])
async def test_any_text_can_be_searched_for(http: httpx.AsyncClient, search: str) -> None:
    expect(await http.get("/api/services/", params={"search": search}), 200)


async def test_a_category_brings_its_children(http: httpx.AsyncClient, worker: Person) -> None:
    tree = expect(await http.get("/api/services/categories/"), 200)["results"]
    parent = next(category for category in tree if category["slug"] == "home-repair")
    child = next(category for category in tree if category["parent_id"] == parent["id"])
    body = {"title": "T", "description": "D", "category_id": child["id"], "price": "1.00"}
    service = expect(await worker.post("/api/services/", body), 201)

    by_slug = expect(await worker.get("/api/services/", category="home-repair", worker=worker.id), 200)["results"]
    by_id = expect(await worker.get("/api/services/", category=parent["id"], worker=worker.id), 200)["results"]

    assert by_slug == by_id == [found(service)]


@pytest.mark.parametrize(
    ("header", "name"), [("uz", "Santexnika"), ("ru-RU,ru;q=0.9", "Сантехника"), ("en", "Plumbing"), ("fr", "Plumbing")]
)
async def test_categories_speak_the_readers_language(http: httpx.AsyncClient, header: str, name: str) -> None:
    answer = await http.get("/api/services/categories/", headers={"Accept-Language": header})

    names = {category["slug"]: category["name"] for category in expect(answer, 200)["results"]}
    assert names["plumbing"] == name


async def test_an_unknown_service_is_404(http: httpx.AsyncClient) -> None:
    assert expect(await http.get(f"/api/services/{uuid4()}/"), 404)["type"] == "not-found"


async def test_a_path_works_without_its_last_slash_too(http: httpx.AsyncClient) -> None:
    with_slash, without = await http.get("/api/services/categories/"), await http.get("/api/services/categories")

    assert without.status_code == 200
    assert without.json() == with_slash.json()


async def test_the_counts_of_categories_follow(http: httpx.AsyncClient, worker: Person) -> None:
    async def count() -> int:
        tree = expect(await http.get("/api/services/categories/"), 200)["results"]
        return int(tree[0]["service_count"])

    before = await count()
    await worker.offer()

    async def grew() -> bool:
        return await count() == before + 1

    await eventually(grew)


async def test_how_often_a_service_was_ordered_and_done_is_shown(
    http: httpx.AsyncClient, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    for last in ("completed", "in_progress"):
        order = await client.order(service["id"])
        expect(await worker.accept(order["id"]), 200)
        expect(await worker.move(order["id"], "in_progress"), 200)
        if last == "completed":
            expect(await worker.move(order["id"], "completed"), 200)

    async def counted() -> bool:
        shown = expect(await http.get(f"/api/services/{service['id']}/"), 200)
        return bool(shown["completed_orders"] == 1)

    await eventually(counted)
