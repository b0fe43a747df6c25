"""What its worker, and admins, do with a service that is there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from marketplace.system import System
from services.catalog.service import editing as service
from shared.auth.users import User
from shared.db import Session
from shared.http.preconditions import Precondition
from tests.support.events import someone_waits_for_a_lock, states_told
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

Json = dict[str, Any]
NOBODYS = "01a20522-0000-7000-8000-000000000000"
NEW = {
    "title": "Piano tuning",
    "description": "By ear.",
    "price": "90000.00",
    "price_type": "hourly",
    "duration_minutes": 60,
    "city": "Bukhara",
    "location": {"lat": 39.77, "lng": 64.42},
}


async def send(by: Person, method: str, offered: Json, body: Json | None = None, **headers: str) -> httpx.Response:
    path = f"/api/services/{offered['id']}/"
    return await by.http.request(method, path, json=body, headers=by.headers | headers)


async def read(by: Person, offered: Json) -> Json:
    found: Json = expect(await by.get(f"/api/services/{offered['id']}/"), 200)
    return found


def caller(worker: Person) -> User:
    return User.model_construct(id=UUID(worker.id), role="worker")


def edit_of(worker: Person, offered: Json, changes: Json) -> Callable[[Session], Awaitable[Any]]:
    """The use case itself, for a transaction that the test ends."""

    async def edit(session: Session) -> None:
        service_id = UUID(offered["id"])
        await service.edit(session, service_id, caller(worker), changes, Precondition(None), moderated=False)

    return edit


async def category_ids(http: httpx.AsyncClient) -> list[str]:
    return [category["id"] for category in expect(await http.get("/api/services/categories/"), 200)["results"]]


@pytest.mark.parametrize("who", ["worker", "admin"])
async def test_put_replaces_all_and_patch_changes_what_is_given(worker: Person, admin: Person, who: str) -> None:
    by, offered = {"worker": worker, "admin": admin}[who], await worker.offer()
    whole = {**NEW, "category_id": (await category_ids(worker.http))[1]}

    replaced = expect(await send(by, "PUT", offered, whole), 200)
    assert replaced == offered | whole | {
        "version": 2,
        "updated_at": replaced["updated_at"],
        "moderation_reason": None,
    }
    changed = expect(await send(by, "PATCH", offered, {"price": "1.50", "city": None}), 200)
    assert changed == replaced | {
        "price": "1.50",
        "city": None,
        "version": 3,
        "updated_at": changed["updated_at"],
    }
    needed = {name: whole[name] for name in ("title", "description", "category_id", "price")}
    emptied = expect(await send(by, "PUT", offered, needed), 200)
    assert (emptied["price_type"], emptied["duration_minutes"]) == ("fixed", None)
    del emptied["moderation_reason"]
    assert await read(worker, offered) == emptied


async def test_what_is_changed_is_told_once_and_what_is_not_is_not(system: System, worker: Person) -> None:
    offered = await worker.offer()

    expect(await send(worker, "PATCH", offered, {"price": "2.00"}), 200)
    same = expect(await send(worker, "PATCH", offered, {"price": "2.00"}), 200)
    expect(await send(worker, "PATCH", offered, {}), 200)
    expect(await send(worker, "PATCH", offered, {"title": "Another"}), 200)

    assert same["version"] == 2
    told = [(state["version"], state["price"], state["title"]) for state in await states_told(system, offered["id"])]
    assert told == [(1, offered["price"], offered["title"]), (2, "2.00", offered["title"]), (3, "2.00", "Another")]


async def test_whoever_orders_pays_the_new_price(client: Person, worker: Person) -> None:
    offered = await worker.offer(price="100.00")
    before = await client.order(offered["id"])

    expect(await send(worker, "PATCH", offered, {"price": "200.00"}), 200)

    async def new_price() -> bool:
        order = await client.order(offered["id"])
        return bool(order["price"] == "200.00")

    await eventually(new_price)
    assert expect(await client.get(f"/api/orders/{before['id']}/"), 200)["price"] == "100.00"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", None),
        ("title", " "),
        ("price", "0"),
        ("price_type", None),
        ("category_id", NOBODYS),
        ("category_id", None),
        ("status", "active"),
        ("worker_id", NOBODYS),
        ("version", 7),
    ],
)
async def test_what_can_not_be_offered_can_not_be_made_of_it_either(worker: Person, field: str, value: Any) -> None:
    offered = await worker.offer()

    problem = expect(await send(worker, "PATCH", offered, {field: value}), 422)

    assert [error["field"] for error in problem["errors"]] == [field]
    assert await read(worker, offered) == offered


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_to_strangers_there_is_no_such_service(worker: Person, http: httpx.AsyncClient, method: str) -> None:
    offered, stranger = await worker.offer(), await register(http, "worker")
    body = None if method == "DELETE" else {**NEW, "category_id": offered["category_id"]}

    assert expect(await send(stranger, method, offered, body), 404)["type"] == "not-found"
    assert expect(await send(stranger, method, {"id": uuid4()}, body), 404)["type"] == "not-found"
    assert await read(worker, offered) == offered


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_service_that_has_changed_meanwhile_is_412(worker: Person, method: str) -> None:
    offered = await worker.offer()
    seen = await worker.get(f"/api/services/{offered['id']}/")
    changed = await send(worker, "PATCH", offered, {"price": "2.00"}, **{"If-Match": seen.headers["etag"]})
    assert changed.headers["etag"] == '"2"'
    body = None if method == "DELETE" else {**NEW, "category_id": offered["category_id"]}

    refused = await send(worker, method, offered, body, **{"If-Match": seen.headers["etag"]})

    assert expect(refused, 412)["version"] == 2
    assert (await send(worker, method, offered, body, **{"If-Match": '"2"'})).is_success


@pytest.fixture
def meanwhile(system: System, worker: Person) -> Callable[..., Awaitable[httpx.Response]]:
    """The answer to an edit that came while another change of the service was being written."""

    async def edit(change: Callable[[Session], Awaitable[Any]], offered: Json, **headers: str) -> httpx.Response:
        async with system.apps["catalog"].state.platform.database.session() as session:
            await change(session)
            late = asyncio.create_task(send(worker, "PATCH", offered, {"title": "Late"}, **headers))
            await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))
        return await late

    return edit


async def test_of_two_edits_of_one_version_at_once_one_wins(
    system: System, worker: Person, meanwhile: Callable[..., Awaitable[httpx.Response]]
) -> None:
    offered = await worker.offer()

    answer = await meanwhile(edit_of(worker, offered, {"city": "Nukus"}), offered, **{"If-Match": '"1"'})

    assert expect(answer, 412)["version"] == 2
    assert [state["version"] for state in await states_told(system, offered["id"])] == [1, 2]


async def test_two_edits_at_once_of_who_minds_no_version_both_count(
    system: System, worker: Person, meanwhile: Callable[..., Awaitable[httpx.Response]]
) -> None:
    offered = await worker.offer()

    answer = await meanwhile(edit_of(worker, offered, {"city": "Nukus"}), offered)

    changed = expect(answer, 200)
    assert (changed["city"], changed["title"], changed["version"]) == ("Nukus", "Late", 3)
    assert [state["version"] for state in await states_told(system, offered["id"])] == [1, 2, 3]


async def test_an_edit_of_what_is_archived_at_the_same_moment_is_refused(
    worker: Person, meanwhile: Callable[..., Awaitable[httpx.Response]]
) -> None:
    offered = await worker.offer()

    async def archive(session: Session) -> None:
        await service.archive(session, UUID(offered["id"]), caller(worker), Precondition(None))

    assert expect(await meanwhile(archive, offered), 409)["type"] == "service-archived"


async def test_what_is_deleted_is_archived_for_good_and_its_orders_stay(
    system: System, client: Person, worker: Person, admin: Person, http: httpx.AsyncClient
) -> None:
    offered = await worker.offer()
    order = await client.order(offered["id"])

    for by in (worker, worker, admin):
        assert (await send(by, "DELETE", offered)).status_code == 204

    assert (await http.get(f"/api/services/{offered['id']}/")).status_code == 404
    assert expect(await http.get("/api/services/", params={"worker": worker.id}), 200)["results"] == []
    assert (await read(worker, offered))["status"] == "archived"
    for by in (worker, admin):
        assert expect(await send(by, "PATCH", offered, {"title": "Back"}), 409)["type"] == "service-archived"
    assert [state["status"] for state in await states_told(system, offered["id"])] == ["active", "archived"]
    assert expect(await client.get(f"/api/orders/{order['id']}/"), 200)["status"] == "pending"

    async def refused() -> bool:
        return (await client.try_order(offered["id"])).status_code == 409

    await eventually(refused)
