"""An order waits for a worker until `accept_by`, and no longer."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from marketplace.system import System
from services.orders.service import timers
from tests.support.events import events_of, told, updated
from tests.support.people import Person, expect
from tests.support.waiting import eventually

A_DAY = timedelta(hours=24)


@pytest.fixture
async def service(worker: Person) -> dict[str, Any]:
    return await worker.offer()


@pytest.fixture
async def order(client: Person, service: dict[str, Any]) -> dict[str, Any]:
    return await client.order(service["id"])


async def read(person: Person, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = expect(await person.get(f"/api/orders/{order['id']}/"), 200)
    return found


async def time_passes(system: System, *orders: dict[str, Any]) -> None:
    """Until their deadlines."""
    async with system.apps["orders"].state.platform.database.session() as session:
        over = text("UPDATE orders SET accept_by = now() WHERE id = ANY(:ids) AND accept_by IS NOT NULL")
        await session.exec(over.bindparams(ids=[UUID(order["id"]) for order in orders]))


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


async def test_an_order_waits_a_day(order: dict[str, Any]) -> None:
    assert moment(order["accept_by"]) - moment(order["created_at"]) == A_DAY


async def test_an_order_waits_no_longer_than_its_appointment(client: Person, service: dict[str, Any]) -> None:
    soon, late = (datetime.now(UTC) + time for time in (timedelta(hours=2), timedelta(days=2)))

    first = await client.order(service["id"], scheduled_at=soon.isoformat())
    second = await client.order(service["id"], scheduled_at=late.isoformat())

    assert moment(first["accept_by"]) == moment(first["scheduled_at"]) == soon
    assert moment(second["accept_by"]) - moment(second["created_at"]) == A_DAY


async def test_what_nobody_accepted_in_time_is_cancelled_by_the_system(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    await time_passes(system, order)

    async def cancelled() -> dict[str, Any] | None:
        seen = await read(client, order)
        return seen if seen["status"] == "cancelled" else None

    after = await eventually(cancelled)
    assert (after["accept_by"], after["version"]) == (None, 2)
    last = after["history"][-1]
    assert (last["from"], last["to"], last["actor_id"], last["actor_role"]) == ("pending", "cancelled", None, "system")
    (event,) = await events_of(system, "orders", "order.status_changed", order["id"])
    told_of = json.loads(event)["data"]
    assert (told_of["by"], told_of["to"]) == ({"id": None, "role": "system"}, "cancelled")


async def test_an_accepted_order_has_no_deadline_and_one_that_is_given_back_a_new_one(
    system: System, worker: Person, order: dict[str, Any]
) -> None:
    assert expect(await worker.accept(order["id"]), 200)["accept_by"] is None
    await time_passes(system, order)
    assert await timers.expire_batch(system.apps["orders"].state.platform.database) == 0

    returned = expect(await worker.move(order["id"], "pending"), 200)

    assert abs(moment(returned["accept_by"]) - moment(returned["updated_at"]) - A_DAY) < timedelta(seconds=1)
    assert moment(returned["accept_by"]) > moment(order["accept_by"])


async def test_several_instances_cancel_each_order_once_between_them(
    system: System, client: Person, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "BATCH", 3)
    database = system.apps["orders"].state.platform.database
    overdue = [await client.order(service["id"]) for _ in range(12)]
    await time_passes(system, *overdue)

    async def instance() -> None:
        while await timers.expire_batch(database):
            pass

    await asyncio.gather(*(instance() for _ in range(4)))

    async def all_cancelled() -> bool:
        return {(await read(client, order))["status"] for order in overdue} == {"cancelled"}

    await eventually(all_cancelled)
    for order in overdue:
        assert [entry["to"] for entry in (await read(client, order))["history"]] == ["pending", "cancelled"]
        assert len(await events_of(system, "orders", "order.status_changed", order["id"])) == 1


async def test_an_order_that_is_being_accepted_is_not_waited_for(
    system: System, client: Person, service: dict[str, Any]
) -> None:
    database = system.apps["orders"].state.platform.database
    locked, free = [await client.order(service["id"]) for _ in range(2)]
    async with database.session() as accepting:
        lock = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE").bindparams(id=UUID(locked["id"]))
        await accepting.exec(lock)
        await accepting.exec(
            text("UPDATE orders SET accept_by = now() WHERE id = :id").bindparams(id=UUID(locked["id"]))
        )
        await time_passes(system, free)

        async def cancelled() -> bool:
            return bool((await read(client, free))["status"] == "cancelled")

        await eventually(cancelled)
        assert (await read(client, locked))["status"] == "pending"


@pytest.mark.parametrize("gone", ["client", "worker"])
async def test_what_is_given_back_when_one_of_the_two_is_gone_is_cancelled(
    system: System, admin: Person, client: Person, worker: Person, order: dict[str, Any], gone: str
) -> None:
    expect(await worker.accept(order["id"]), 200)
    await told(system, updated(client if gone == "client" else worker, 2, is_active=False), "orders")

    after = expect(await admin.move(order["id"], "pending"), 200)

    assert (after["status"], after["worker_id"]) == ("cancelled", None)
    history = [(entry["to"], entry["actor_role"], entry["note"]) for entry in (await read(admin, order))["history"]]
    assert history[2:] == [
        ("pending", "admin", None),
        ("cancelled", "system", f"The {gone}'s account is no longer active."),
    ]
    events = [
        json.loads(event)["data"] for event in await events_of(system, "orders", "order.status_changed", order["id"])
    ]
    assert [(event["from"], event["to"], event["previous_worker_id"]) for event in events] == [
        ("assigned", "pending", worker.id),
        ("pending", "cancelled", None),
    ]


async def test_an_appointment_is_in_the_future(client: Person, service: dict[str, Any]) -> None:
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    for wrong in (past, "2100-01-01T10:00:00"):
        problem = expect(await client.try_order(service["id"], scheduled_at=wrong), 422)
        assert [error["field"] for error in problem["errors"]] == ["scheduled_at"]


async def test_a_repeat_under_a_key_is_no_new_appointment(
    system: System, client: Person, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    body = {"service_id": service["id"], "address": "1 Navoi St", "scheduled_at": at.isoformat()}
    first = expect(await client.post("/api/orders/create/", body, "a key"), 201)

    monkeypatch.setattr("services.orders.service.orders.utcnow", lambda: at)
    assert expect(await client.post("/api/orders/create/", body, "a key"), 201) == first
    assert (await client.post("/api/orders/create/", body, "another key")).status_code == 422
