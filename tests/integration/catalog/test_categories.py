"""The tree of categories, and how admins change it."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from marketplace.system import System
from services.catalog.service import categories as service
from services.catalog.service import services as catalog
from shared.http.preconditions import Precondition
from tests.support.events import someone_waits_for_a_lock
from tests.support.people import Person, expect
from tests.support.waiting import eventually

Json = dict[str, Any]
PATH = "/api/services/categories/"


@pytest.fixture
def word() -> str:
    """Begins the slugs of this test's own categories."""
    return f"w{uuid4().hex}"


async def add(admin: Person, name: str, **more: Any) -> Json:
    created: Json = expect(await admin.post(PATH, {"name": name, **more}), 201)
    return created


async def send(admin: Person, method: str, category: Json, body: Json | None = None, **headers: str) -> httpx.Response:
    path = f"{PATH}{category['id']}/"
    return await admin.http.request(method, path, json=body, headers=admin.headers | headers)


async def tree(http: httpx.AsyncClient, language: str = "en") -> dict[str, Json]:
    results = expect(await http.get(PATH, headers={"Accept-Language": language}), 200)["results"]
    return {category["id"]: category for category in results}


async def offer_in(worker: Person, category: Json) -> httpx.Response:
    body = {"title": "T", "description": "D", "category_id": category["id"], "price": "1.00"}
    return await worker.post("/api/services/", body)


async def test_a_new_category_is_listed(admin: Person, word: str) -> None:
    created = await add(admin, f"{word} Қурилиш", description="Walls.")

    assert created == {
        "id": created["id"],
        "name": f"{word} Қурилиш",
        "translations": dict.fromkeys(("uz", "ru", "en"), f"{word} Қурилиш"),
        "slug": f"{word}-qurilish",
        "description": "Walls.",
        "parent_id": None,
        "service_count": 0,
        "version": 1,
    }
    assert (await tree(admin.http))[created["id"]] == created


async def test_a_slug_that_is_taken_gets_a_number_and_one_that_is_asked_for_is_refused(
    admin: Person, word: str
) -> None:
    first, second, third = [await add(admin, word) for _ in range(3)]
    refused = await admin.post(PATH, {"name": "Another", "slug": word})
    moved = await send(admin, "PATCH", second, {"slug": word})

    assert [each["slug"] for each in (first, second, third)] == [word, f"{word}-2", f"{word}-3"]
    assert [expect(answer, 409)["type"] for answer in (refused, moved)] == ["slug-taken"] * 2
    assert expect(await send(admin, "PATCH", first, {"slug": word}), 200)["slug"] == word


async def test_of_many_categories_of_one_name_at_once_each_has_a_slug_of_its_own(admin: Person, word: str) -> None:
    created = await asyncio.gather(*(add(admin, word) for _ in range(6)))

    assert len({each["slug"] for each in created}) == 6


@pytest.mark.parametrize("slug", ["Big", "two words", "-a", "a--b", "ремонт", "a/b", "", "a\n"])
async def test_a_slug_is_lower_ascii(admin: Person, slug: str) -> None:
    assert expect(await admin.post(PATH, {"name": "N", "slug": slug}), 422)["errors"][0]["field"] == "slug"


async def test_names_are_in_the_readers_language_and_else_as_the_category_was_named(
    admin: Person, http: httpx.AsyncClient, word: str
) -> None:
    created = await add(admin, word, translations={"ru": "Кровля", "en": "Roofing"})

    names = {language: (await tree(http, language))[created["id"]]["name"] for language in ("uz", "ru", "en", "fr")}

    assert names == {"uz": word, "ru": "Кровля", "en": "Roofing", "fr": "Roofing"}


async def test_patch_changes_what_is_given_and_put_replaces_the_rest_but_not_the_slug(admin: Person, word: str) -> None:
    parent = await add(admin, f"{word} parent")
    category = await add(admin, word, parent_id=parent["id"], description="D", translations={"ru": "Р", "uz": "U"})

    renamed = expect(await send(admin, "PATCH", category, {"name": "New"}), 200)
    assert renamed == category | {
        "name": "New",
        "translations": {"uz": "U", "ru": "Р", "en": "New"},
        "version": 2,
    }
    translated = expect(await send(admin, "PATCH", category, {"translations": {"ru": "Б", "uz": None}}), 200)
    assert translated["translations"] == {"uz": "New", "ru": "Б", "en": "New"}
    assert translated["version"] == 3

    replaced = expect(await send(admin, "PUT", category, {"name": "Other"}), 200)
    assert replaced == category | {
        "name": "Other",
        "translations": dict.fromkeys(("uz", "ru", "en"), "Other"),
        "description": "",
        "parent_id": None,
        "version": 4,
    }


async def test_what_was_read_can_be_put_back_in_any_language(admin: Person, http: httpx.AsyncClient, word: str) -> None:
    category = await add(admin, word, translations={"ru": "Р", "uz": "U"})
    read = (await tree(http, "ru"))[category["id"]]
    body = {name: read[name] for name in ("name", "slug", "description", "parent_id", "translations")}

    assert expect(await send(admin, "PUT", category, body), 200) == category


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_category_that_has_changed_meanwhile_is_412(admin: Person, word: str, method: str) -> None:
    category = await add(admin, word)
    changed = await send(admin, "PATCH", category, {"description": "D"}, **{"If-Match": '"1"'})
    assert changed.headers["etag"] == '"2"'
    body = None if method == "DELETE" else {"name": "N"}

    refused = await send(admin, method, category, body, **{"If-Match": '"1"'})

    assert expect(refused, 412)["version"] == 2
    assert (await send(admin, method, category, body, **{"If-Match": '"2"'})).is_success


async def test_a_reader_who_has_the_tree_is_told_so_until_it_changes(
    admin: Person, http: httpx.AsyncClient, word: str
) -> None:
    known = {"If-None-Match": (await http.get(PATH)).headers["etag"]}

    assert (await http.get(PATH, headers=known)).status_code == 304
    await add(admin, word)
    assert (await http.get(PATH, headers=known)).status_code == 200


async def test_children_follow_their_parent_in_the_list(admin: Person, http: httpx.AsyncClient, word: str) -> None:
    first, second = await add(admin, f"{word} 1"), await add(admin, f"{word} 2")
    expect(await send(admin, "PATCH", first, {"parent_id": second["id"]}), 200)

    listed = [*await tree(http)]

    assert listed.index(second["id"]) + 1 == listed.index(first["id"])


async def test_a_parents_list_of_services_follows_the_tree(admin: Person, worker: Person, word: str) -> None:
    parent, child = await add(admin, f"{word} 1"), await add(admin, f"{word} 2")
    service = expect(await offer_in(worker, child), 201)

    async def found() -> list[Json]:
        results: list[Json] = expect(await worker.get("/api/services/", category=parent["slug"]), 200)["results"]
        return results

    assert await found() == []
    expect(await send(admin, "PATCH", child, {"parent_id": parent["id"]}), 200)
    assert await found() == [service | {"distance_km": None}]
    assert (await tree(worker.http))[parent["id"]]["service_count"] == 1


async def test_a_category_is_not_below_itself(admin: Person, word: str) -> None:
    top = await add(admin, word)
    middle = await add(admin, word, parent_id=top["id"])
    bottom = await add(admin, word, parent_id=middle["id"])

    for below in (top, middle, bottom):
        refused = await send(admin, "PATCH", top, {"parent_id": below["id"]})
        assert expect(refused, 409)["type"] == "category-cycle"


async def test_of_two_moves_that_would_close_a_circle_one_is_refused(system: System, admin: Person, word: str) -> None:
    one, two = await add(admin, word), await add(admin, word)
    async with system.apps["catalog"].state.platform.database.session() as session:
        await service.edit(session, UUID(one["id"]), {"parent_id": UUID(two["id"])}, Precondition(None))
        await session.flush()
        other = asyncio.create_task(send(admin, "PATCH", two, {"parent_id": one["id"]}))
        await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))

    assert expect(await other, 409)["type"] == "category-cycle"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_parent_that_is_not_there_is_refused(admin: Person, word: str, method: str) -> None:
    body = {"name": word, "parent_id": str(uuid4())}
    category = await add(admin, word)

    answer = await (admin.post(PATH, body) if method == "POST" else send(admin, method, category, body))

    assert expect(answer, 422)["errors"][0]["field"] == "parent_id"


async def test_what_is_empty_can_be_deleted_and_nothing_else(admin: Person, worker: Person, word: str) -> None:
    parent = await add(admin, word)
    child = await add(admin, word, parent_id=parent["id"])
    taken = await add(admin, word)
    expect(await offer_in(worker, taken), 201)

    assert expect(await send(admin, "DELETE", parent), 409)["type"] == "category-in-use"
    assert expect(await send(admin, "DELETE", taken), 409)["type"] == "category-in-use"
    for category in (child, parent):
        assert (await send(admin, "DELETE", category)).status_code == 204
        assert (await send(admin, "DELETE", category)).status_code == 404
    assert (await tree(worker.http)).keys().isdisjoint({child["id"], parent["id"]})


async def test_a_category_in_which_someone_offers_at_this_moment_is_not_deleted(
    system: System, admin: Person, worker: Person, word: str
) -> None:
    category, platform = await add(admin, word), system.apps["catalog"].state.platform
    await worker.offer()  # brings the copy of the worker along
    async with platform.database.session() as session:
        await catalog.offer(
            session,
            platform.internal,
            UUID(worker.id),
            title="T",
            description="D",
            category_id=UUID(category["id"]),
            price=1,
            confirmed_only=False,
        )
        deletion = asyncio.create_task(send(admin, "DELETE", category))
        await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))

    assert expect(await deletion, 409)["type"] == "category-in-use"


async def test_nothing_is_offered_in_a_category_that_is_deleted_at_this_moment(
    system: System, admin: Person, worker: Person, word: str
) -> None:
    category = await add(admin, word)
    async with system.apps["catalog"].state.platform.database.session() as session:
        await service.remove(session, UUID(category["id"]), Precondition(None))
        await session.flush()
        offer = asyncio.create_task(offer_in(worker, category))
        await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))

    assert expect(await offer, 422)["errors"][0]["field"] == "category_id"
