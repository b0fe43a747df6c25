"""Public profiles of workers: what anyone finds, what their worker changes, what the others are told."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import col, select

from marketplace.system import System
from services.accounts.models import User, WorkerProfile
from services.accounts.service import workers as service
from shared.contracts.catalog import ServiceState
from shared.db import Database
from shared.http.internal import OwnerAway
from shared.http.pagination import Cursor
from shared.ids import new_id
from shared.messaging.tables import OutboxRow
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

Json = dict[str, Any]
Tree = dict[str, list[str]]


@pytest.fixture
def database(system: System) -> Database:
    found: Database = system.apps["accounts"].state.platform.database
    return found


@pytest.fixture
def place() -> str:
    """A city of this test's own, so that its lists hold no others' workers."""
    return f"City {uuid4()}"


@pytest.fixture
def workers(http: httpx.AsyncClient, place: str) -> Callable[..., Awaitable[Person]]:
    """Make a worker in this test's city with such a profile."""

    async def make(**profile: Any) -> Person:
        worker = await register(http, "worker")
        expect(await put(worker, {"city": place, **profile}), 200)
        return worker

    return make


@pytest.fixture
def tree(system: System, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """What catalog says of categories, by slug; it is away for a slug that is not there."""
    tree: Tree = {}

    async def find(target: str, path: str) -> Json | None:
        slug = unquote(path.removeprefix("/internal/categories/").removesuffix("/"))
        if slug not in tree:
            raise OwnerAway("Catalog is away.")
        return {"ids": tree[slug]} if tree[slug] else None

    monkeypatch.setattr(system.apps["accounts"].state.platform.internal, "find", find)
    return tree


async def user(session: Any, person: Person) -> User:
    found: User = await session.get_one(User, UUID(person.id))
    return found


async def put(by: Person, body: Json, of: Person | None = None, **headers: str) -> httpx.Response:
    return await by.http.put(f"/api/workers/{(of or by).id}/", json=body, headers=by.headers | headers)


async def patch(by: Person, body: Json, of: Person | None = None, **headers: str) -> httpx.Response:
    return await by.http.patch(f"/api/workers/{(of or by).id}/", json=body, headers=by.headers | headers)


async def read(http: httpx.AsyncClient, worker: Person) -> Json:
    profile: Json = expect(await http.get(f"/api/workers/{worker.id}/"), 200)
    return profile


async def find(http: httpx.AsyncClient, **query: Any) -> list[Json]:
    results: list[Json] = expect(await http.get("/api/workers/", params=query), 200)["results"]
    return results


async def find_ids(http: httpx.AsyncClient, **query: Any) -> set[str]:
    return {worker["id"] for worker in await find(http, **query)}


async def told(database: Database, worker: Person) -> list[Json]:
    """What the others were told of the worker, in the order it was."""
    events = select(OutboxRow).where(OutboxRow.name == "worker.updated").order_by(col(OutboxRow.seq))
    async with database.session() as session:
        rows = (await session.exec(events)).all()
    states = [json.loads(row.envelope)["data"]["worker"] for row in rows]
    return [state for state in states if state["id"] == worker.id]


async def test_a_new_worker_is_shown_with_an_empty_profile(http: httpx.AsyncClient, worker: Person) -> None:
    account = worker.login["user"]

    assert await read(http, worker) == {
        "id": worker.id,
        "full_name": "A worker",
        "bio": "",
        "skills": [],
        "languages": [],
        "hourly_rate": None,
        "currency": "UZS",
        "city": None,
        "location": None,
        "service_radius_km": None,
        "is_available": True,
        "rating": "0.00",
        "review_count": 0,
        "version": 1,
        "created_at": account["created_at"],
        "updated_at": account["created_at"],
    }


async def test_put_replaces_a_profile_and_patch_changes_what_is_given(
    http: httpx.AsyncClient, worker: Person, place: str
) -> None:
    whole = {
        "bio": "Twenty years of pipes.",
        "skills": ["Plumbing", "Tiles"],
        "languages": ["uz", "ru"],
        "hourly_rate": "80000.00",
        "city": place,
        "location": {"lat": 41.311, "lng": 69.279},
        "service_radius_km": 20,
        "is_available": False,
    }

    replaced = expect(await put(worker, whole), 200)
    patched = expect(await patch(worker, {"hourly_rate": None, "location": None, "is_available": True}), 200)
    emptied = expect(await put(worker, {"bio": "New."}), 200)

    assert {name: replaced[name] for name in whole} == whole
    changed = {"hourly_rate": None, "location": None, "is_available": True}
    assert {name: patched[name] for name in whole} == whole | changed
    assert (emptied["bio"], emptied["skills"], emptied["city"], emptied["service_radius_km"]) == (
        "New.",
        [],
        None,
        None,
    )
    assert [replaced["version"], patched["version"], emptied["version"]] == [2, 3, 4]
    assert await read(http, worker) == emptied


async def test_each_change_is_told_with_a_rising_version(database: Database, worker: Person, place: str) -> None:
    await patch(worker, {"city": place, "skills": ["Tiles"], "location": {"lat": 1.5, "lng": -2.25}})
    await patch(worker, {})
    await put(worker, {"service_radius_km": 3})

    events = await told(database, worker)
    assert [event["version"] for event in events] == [1, 2, 3]
    assert events[1] == {
        "id": worker.id,
        "full_name": "A worker",
        "city": place,
        "location": {"lat": 1.5, "lng": -2.25},
        "service_radius_km": None,
        "is_available": True,
        "skills": ["Tiles"],
        "version": 2,
    }
    assert (events[2]["location"], events[2]["service_radius_km"]) == (None, 3)


async def test_a_profile_is_changed_by_its_worker_or_an_admin_alone(
    http: httpx.AsyncClient, worker: Person, client: Person, admin: Person
) -> None:
    stranger = await register(http, "worker")
    before = await read(http, worker)

    for nobody in (stranger, client):
        for answer in (await put(nobody, {"bio": "x"}, of=worker), await patch(nobody, {"bio": "x"}, of=worker)):
            assert expect(answer, 403)["type"] == "forbidden"
    assert expect(await patch(client, {"bio": "x"}), 403)["type"] == "forbidden"
    assert (await http.patch(f"/api/workers/{worker.id}/", json={"bio": "x"})).status_code == 401
    assert await read(http, worker) == before

    assert expect(await patch(admin, {"bio": "Checked."}, of=worker), 200)["bio"] == "Checked."
    assert expect(await patch(admin, {"bio": "x"}), 404)["type"] == "not-found"  # an admin has no profile


async def test_what_one_has_not_seen_is_not_changed(http: httpx.AsyncClient, worker: Person) -> None:
    seen = (await http.get(f"/api/workers/{worker.id}/")).headers["etag"]
    changed = await patch(worker, {"bio": "1"}, **{"If-Match": seen})

    late = [await put(worker, {"bio": "2"}, **{"If-Match": tag}) for tag in (seen, '"1"', 'W/"2"')]
    again = await patch(worker, {"bio": "3"}, **{"If-Match": changed.headers["etag"]})

    assert changed.headers["etag"] == '"2"'
    for answer in late:
        problem = expect(answer, 412)
        assert (problem["type"], problem["version"]) == ("version-mismatch", 2)
    assert expect(again, 200)["bio"] == "3"


async def at_once(database: Database, worker: Person, *changes: Awaitable[httpx.Response]) -> list[httpx.Response]:
    """Let all the changes see the same profile before one of them is made."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with database.session() as session:
        await session.exec(select(WorkerProfile).where(WorkerProfile.id == UUID(worker.id)).with_for_update())
        made = asyncio.gather(*changes)

        async def all_wait() -> bool:
            async with database.session() as looking:
                connection = await looking.connection()
                return (await connection.execute(text(waiting))).scalar_one() == len(changes)

        await eventually(all_wait)
    return await made


async def test_of_changes_at_once_to_what_all_have_seen_one_is_made(database: Database, worker: Person) -> None:
    changes = [patch(worker, {"bio": bio}, **{"If-Match": '"1"'}) for bio in "ABC"]

    answers = await at_once(database, worker, *changes)

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    assert [event["version"] for event in await told(database, worker)] == [1, 2]


async def test_changes_at_once_of_those_who_do_not_mind_are_all_made(
    http: httpx.AsyncClient, database: Database, worker: Person
) -> None:
    changes: list[Json] = [{"bio": "B"}, {"skills": ["skilful"]}, {"service_radius_km": 7}]

    answers = await at_once(database, worker, *(patch(worker, change) for change in changes))

    assert [answer.status_code for answer in answers] == [200] * 3
    profile = await read(http, worker)
    assert profile["version"] == 4
    assert all(profile[name] == value for change in changes for name, value in change.items())
    assert [event["version"] for event in await told(database, worker)] == [1, 2, 3, 4]


async def test_a_profile_is_sent_once_to_who_keeps_it(http: httpx.AsyncClient, worker: Person) -> None:
    path = f"/api/workers/{worker.id}/"
    first = await http.get(path)
    again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
    await patch(worker, {"bio": "New."})
    changed = await http.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "public, s-maxage=1, must-revalidate"
    assert first.headers["etag"].startswith('"1.')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (changed.status_code, changed.json()["bio"]) == (200, "New.")
    assert (await worker.get(path)).headers["cache-control"] == "private, no-cache"


async def test_a_list_is_sent_once_to_who_keeps_it(http: httpx.AsyncClient, workers: Any, place: str) -> None:
    await workers()
    first = await http.get("/api/workers/", params={"city": place})
    again = await http.get("/api/workers/", params={"city": place}, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["etag"].startswith('"0.')
    assert (again.status_code, again.content) == (304, b"")


async def test_neither_address_nor_phone_is_shown(http: httpx.AsyncClient, place: str) -> None:
    worker = await register(http, "worker", phone="+998901234567")
    await patch(worker, {"city": place})

    for answer in (await http.get(f"/api/workers/{worker.id}/"), await http.get(f"/api/workers/?city={place}")):
        assert worker.id in answer.text
        assert "998901234567" not in answer.text
        assert worker.login["user"]["email"] not in answer.text


async def test_a_banned_worker_is_not_shown_until_the_ban_ends(
    http: httpx.AsyncClient, database: Database, workers: Any, place: str
) -> None:
    worker = await workers()

    async def set_active(active: bool) -> None:
        async with database.session() as session:
            banned = await user(session, worker)
            banned.is_active = active
            await service.follow_user(session, banned)

    await set_active(False)
    assert expect(await http.get(f"/api/workers/{worker.id}/"), 404)["type"] == "not-found"
    assert await find(http, city=place) == []
    await set_active(True)
    assert (await read(http, worker))["version"] == 4
    assert [event["version"] for event in await told(database, worker)] == [1, 2, 3, 4]


async def test_a_new_name_is_shown_searched_for_and_told(
    http: httpx.AsyncClient, database: Database, workers: Any, place: str
) -> None:
    worker = await workers(bio="Pipes.")
    async with database.session() as session:
        renamed = await user(session, worker)
        renamed.full_name = "Gulnora Azimova"
        await service.follow_user(session, renamed)

    assert await find_ids(http, city=place, search="gulno pipe") == {worker.id}
    assert await find_ids(http, city=place, search="worker") == set()
    assert (await told(database, worker))[-1]["full_name"] == "Gulnora Azimova"


async def test_who_has_no_profile_needs_none_when_their_name_changes(database: Database, client: Person) -> None:
    async with database.session() as session:
        await service.follow_user(session, await user(session, client))

    assert await told(database, client) == []


async def test_an_erased_worker_leaves_no_profile(
    http: httpx.AsyncClient, database: Database, workers: Any, tree: Tree, place: str
) -> None:
    worker, category = await workers(), uuid4()
    tree[slug := f"slug-{category}"] = [str(category)]
    await keep(database, offer(worker, category))
    assert await find_ids(http, category=slug) == {worker.id}

    async with database.session() as session:
        await service.erase_profile(session, UUID(worker.id))

    assert (await http.get(f"/api/workers/{worker.id}/")).status_code == 404
    assert await find(http, category=slug) == []


@pytest.mark.parametrize("id_", [uuid4(), "me"])
async def test_an_unknown_worker_is_no_profile(http: httpx.AsyncClient, id_: object) -> None:
    assert (await http.get(f"/api/workers/{id_}/")).status_code == (422 if id_ == "me" else 404)


@pytest.mark.parametrize("ordering", ["created_at", "-created_at", "rating", "-rating", "distance"])
async def test_pages_follow_each_other_without_gap_or_repeat(
    http: httpx.AsyncClient, database: Database, workers: Any, place: str, ordering: str
) -> None:
    made = [await workers(location={"lat": 10 + distance, "lng": 20}) for distance in (0.03, 0.01, 0.02, 0.01, 0.01)]
    made += [await workers(location={"lat": 10, "lng": 20}) for _ in range(2)]
    async with database.session() as session:  # two moments and two ratings, so that there are ties of each kind
        for number, worker in enumerate(made):
            profile = await session.get_one(WorkerProfile, UUID(worker.id))
            profile.rating = Decimal("4.50" if number % 2 else "3.25")
            profile.created_at = datetime(2025 + number // 4, 1, 1, tzinfo=UTC)
    query = {"city": place, "ordering": ordering, "limit": "2", "near": "10,20"}

    forth = [expect(await http.get("/api/workers/", params=query), 200)]
    while address := forth[-1]["next"]:
        forth.append(expect(await http.get(address), 200))
    back = [forth[-1]]
    while address := back[-1]["previous"]:
        back.append(expect(await http.get(address), 200))

    assert [len(page["results"]) for page in forth] == [2, 2, 2, 1]
    found = [worker for page in forth for worker in page["results"]]
    assert {worker["id"] for worker in found} == {worker.id for worker in made}
    keys = [(w["distance_km" if ordering == "distance" else ordering.removeprefix("-")], w["id"]) for w in found]
    assert all((a > b) if ordering.startswith("-") else (a < b) for a, b in pairwise(keys))
    assert [worker for page in back[::-1] for worker in page["results"]] == found


async def test_words_are_searched_in_name_bio_and_skills(http: httpx.AsyncClient, workers: Any, place: str) -> None:
    plumber = await workers(bio="Чиню краны быстро", skills=["Plumbing", "Tap repair"])
    await workers(bio="Electrician")

    for search in ("plumb", "tap REP", "кран", "worker plumb", "быстро tap"):
        assert await find_ids(http, city=place, search=search) == {plumber.id}
    assert await find_ids(http, city=place, search="plumb electr") == set()
    assert len(await find(http, city=place, search="?!")) == 2


@pytest.mark.parametrize("search", ["'", "a & | b", "\\", ":*", "!", "o'zbek", "<->", "²", "_", "\x00"])
async def test_any_text_can_be_searched_for(http: httpx.AsyncClient, search: str) -> None:
    await find(http, search=search)


async def test_a_city_is_the_same_in_any_case(http: httpx.AsyncClient, workers: Any) -> None:
    city = f"Ўзбекистон {uuid4()}"
    worker = await workers(city=city)

    assert await find_ids(http, city=city.upper()) == await find_ids(http, city=f" {city.lower()} ") == {worker.id}
    assert await find(http, city=city[:-1]) == []


async def test_who_is_rated_worse_is_left_out(
    http: httpx.AsyncClient, database: Database, workers: Any, place: str
) -> None:
    good = await workers()
    await workers()
    async with database.session() as session:
        profile = await session.get_one(WorkerProfile, UUID(good.id))
        profile.rating = Decimal("4.10")

    assert await find_ids(http, city=place, min_rating="4.1") == {good.id}
    assert await find(http, city=place, min_rating="4.11") == []
    assert len(await find(http, city=place, min_rating="0")) == 2


async def test_who_is_near_comes_that_far_and_says_how_far_it_is(
    http: httpx.AsyncClient, workers: Any, place: str
) -> None:
    def at(km: float) -> Json:
        return {"location": {"lat": 41.3 + km / 111.195, "lng": 69.2}}

    here, near, far = await workers(**at(0)), await workers(**at(9.94)), await workers(**at(10.06))
    short = await workers(**at(5), service_radius_km=4)
    enough = await workers(**at(5), service_radius_km=6)
    await workers()  # nowhere in particular

    ten = await find(http, city=place, near="41.3,69.2", ordering="distance")
    assert [(worker["id"], worker["distance_km"]) for worker in ten] == [(here.id, 0), (enough.id, 5), (near.id, 9.9)]
    more = await find_ids(http, city=place, near="41.3,69.2", radius_km="10.1")
    assert more == {here.id, near.id, far.id, enough.id}
    assert short.id in await find_ids(http, city=place, near="41.31,69.2", radius_km="50")
    assert {worker["distance_km"] for worker in await find(http, city=place)} == {None}


@pytest.mark.parametrize(
    ("near", "location", "km"),
    [
        ("0,179.99", {"lat": 0, "lng": -179.99}, 2.2),
        ("0,-179.99", {"lat": 0, "lng": 179.99}, 2.2),
        ("0,180", {"lat": 0, "lng": -180}, 0),
        ("60,179.9", {"lat": 60, "lng": -179.98}, 6.7),
        ("89.98,10", {"lat": 89.98, "lng": -170}, 4.4),
        ("-90,0", {"lat": -89.99, "lng": 123}, 1.1),
        ("41.3,69.2", {"lat": 41.3, "lng": 69.3}, 8.4),
    ],
)
async def test_near_is_near_also_across_the_date_line_and_the_poles(
    http: httpx.AsyncClient, workers: Any, place: str, near: str, location: Json, km: float
) -> None:
    await workers(location=location)

    assert [worker["distance_km"] for worker in await find(http, city=place, near=near)] == [km]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"near": "here"}, "near"),
        ({"near": "91,0"}, "near"),
        ({"near": "nan,nan"}, "near"),
        ({"near": "1,1", "radius_km": "51"}, "radius_km"),
        ({"near": "1,1", "radius_km": "0.5"}, "radius_km"),
        ({"near": "1,1", "radius_km": "nan"}, "radius_km"),
        ({"ordering": "distance"}, "ordering"),
        ({"ordering": "-distance", "near": "1,1"}, "ordering"),
        ({"ordering": "email"}, "ordering"),
        ({"min_rating": "6"}, "min_rating"),
        ({"min_rating": "nan"}, "min_rating"),
        ({"city": " "}, "city"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": "101"}, "limit"),
    ],
)
async def test_what_can_not_be_asked_is_refused_by_name(http: httpx.AsyncClient, query: Json, field: str) -> None:
    problem = expect(await http.get("/api/workers/", params=query), 422)

    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_distance_that_is_none_makes_a_cursor_no_error(http: httpx.AsyncClient) -> None:
    query = {"near": "1,1", "ordering": "distance", "cursor": Cursor([str(2**31), str(new_id())]).encode()}

    problem = expect(await http.get("/api/workers/", params=query), 422)

    assert [error["field"] for error in problem["errors"]] == ["cursor"]


async def test_a_cursor_of_another_ordering_is_refused(http: httpx.AsyncClient, workers: Any, place: str) -> None:
    await workers(), await workers()
    page = expect(await http.get("/api/workers/", params={"city": place, "limit": "1"}), 200)

    problem = expect(await http.get(f"{page['next']}&ordering=rating"), 422)

    assert [error["field"] for error in problem["errors"]] == ["cursor"]


def offer(worker: Person, category: UUID, **more: Any) -> ServiceState:
    values = {
        "id": new_id(),
        "worker_id": worker.id,
        "title": "T",
        "category_id": category,
        "city": None,
        "price": "1.00",
        "currency": "UZS",
        "price_type": "fixed",
        "status": "active",
        "version": 1,
    }
    return ServiceState.model_validate(values | more)


async def keep(database: Database, *services: ServiceState) -> None:
    async with database.session() as session:
        for state in services:
            await service.keep_service(session, state)


async def test_workers_are_found_by_the_category_of_what_they_offer(
    http: httpx.AsyncClient, database: Database, workers: Any, tree: Tree
) -> None:
    parent, child = uuid4(), uuid4()
    tree |= {f"parent-{parent}": [str(parent), str(child)], str(child): [str(child)], f"unknown-{parent}": []}
    above, below = await workers(), await workers()
    await keep(database, offer(above, parent), offer(below, child), offer(below, child), offer(above, uuid4()))

    assert await find_ids(http, category=f"parent-{parent}") == {above.id, below.id}
    assert len(await find(http, category=f"parent-{parent}")) == 2
    assert await find_ids(http, category=str(child)) == {below.id}
    assert await find(http, category=f"unknown-{parent}") == []


async def test_what_is_no_longer_offered_finds_nobody_whatever_comes_late(
    http: httpx.AsyncClient, database: Database, worker: Person, tree: Tree
) -> None:
    category = uuid4()
    tree[slug := f"slug-{category}"] = [str(category)]
    offered = offer(worker, category)
    hidden = offered.model_copy(update={"status": "hidden", "version": 2})

    await keep(database, hidden, offered)
    assert await find(http, category=slug) == []
    await keep(database, offered.model_copy(update={"version": 3}))
    assert await find_ids(http, category=slug) == {worker.id}


async def test_what_catalog_tells_of_a_service_is_kept(http: httpx.AsyncClient, worker: Person, tree: Tree) -> None:
    offered = await worker.offer()
    tree[slug := f"slug-{uuid4()}"] = [offered["category_id"]]

    async def found() -> bool:
        return worker.id in await find_ids(http, category=slug, limit="100")

    await eventually(found)


async def test_while_catalog_is_away_what_it_never_said_can_not_be_told(http: httpx.AsyncClient, tree: Tree) -> None:
    answer = await http.get("/api/workers/", params={"category": f"never-{uuid4()}"})

    assert expect(answer, 503)["type"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
