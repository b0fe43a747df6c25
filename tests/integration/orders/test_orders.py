import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.orders.models import HistoryEntry
from services.orders.repo import orders as repo
from shared.db import Session
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


@pytest.fixture
async def service(worker: Person) -> dict[str, Any]:
    return await worker.offer(price="150000.00")


@pytest.fixture
async def order(client: Person, service: dict[str, Any]) -> dict[str, Any]:
    return await client.order(service["id"])


async def test_an_order_copies_what_it_costs_at_this_moment(client: Person, service: dict[str, Any]) -> None:
    order = await client.order(service["id"], quantity=3)

    assert (order["price"], order["quantity"], order["total"]) == ("150000.00", 3, "450000.00")
    assert (order["status"], order["payment_status"]) == ("pending", "unpaid")
    assert order["service_title"] == service["title"]
    assert order["owner_id"] == service["worker_id"]
    assert order["worker_id"] is None


async def test_a_price_from_the_client_is_refused(client: Person, service: dict[str, Any]) -> None:
    problem = expect(await client.try_order(service["id"], price="1.00"), 422)

    assert [error["field"] for error in problem["errors"]] == ["price"]


async def test_an_appointment_is_answered_in_utc(client: Person, service: dict[str, Any]) -> None:
    order = await client.order(service["id"], scheduled_at="2099-01-31T09:00:00+05:00")

    assert order["scheduled_at"] == "2099-01-31T04:00:00Z"


async def test_an_unknown_service_is_404(client: Person) -> None:
    assert (await client.try_order(str(uuid4()))).status_code == 404


async def test_only_clients_order(worker: Person, service: dict[str, Any]) -> None:
    assert (await worker.try_order(service["id"])).status_code == 403


async def test_an_order_goes_its_whole_way(client: Person, worker: Person, order: dict[str, Any]) -> None:
    assigned = expect(await worker.accept(order["id"]), 200)
    started = expect(await worker.move(order["id"], "in_progress"), 200)
    completed = expect(await worker.move(order["id"], "completed"), 200)

    assert [o["status"] for o in (assigned, started, completed)] == ["assigned", "in_progress", "completed"]
    assert [o["version"] for o in (assigned, started, completed)] == [2, 3, 4]
    history = expect(await client.get(f"/api/orders/{order['id']}/"), 200)["history"]
    assert [(h["from"], h["to"], h["actor_role"]) for h in history] == [
        (None, "pending", "client"),
        ("pending", "assigned", "worker"),
        ("assigned", "in_progress", "worker"),
        ("in_progress", "completed", "worker"),
    ]


async def test_an_order_and_its_history_are_shown_as_of_one_moment(
    client: Person, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = repo.history

    async def after_a_move(session: Session, order_id: UUID) -> Sequence[HistoryEntry]:
        """The order moves on between the two statements of whoever looks."""
        expect(await client.move(order["id"], "cancelled"), 200)
        return await read(session, order_id)

    monkeypatch.setattr(repo, "history", after_a_move)
    seen = [expect(await client.get(f"/api/orders/{order['id']}/"), 200)]
    monkeypatch.undo()
    seen.append(expect(await client.get(f"/api/orders/{order['id']}/"), 200))

    assert [(each["status"], each["history"][-1]["to"]) for each in seen] == [
        ("pending", "pending"),
        ("cancelled", "cancelled"),
    ]


async def test_a_forbidden_move_names_the_allowed_ones(worker: Person, order: dict[str, Any]) -> None:
    problem = expect(await worker.move(order["id"], "completed"), 409)

    assert problem["type"] == "move-not-allowed"
    assert sorted(problem["allowed"]) == ["assigned", "cancelled"]


async def test_another_worker_does_not_see_the_order(client: Person, order: dict[str, Any]) -> None:
    other = await register(client.http, "worker")

    assert (await other.accept(order["id"])).status_code == 404
    assert (await other.get(f"/api/orders/{order['id']}/")).status_code == 404
    assert expect(await other.get("/api/orders/"), 200)["results"] == []


async def test_an_admin_assigns_another_worker(
    admin: Person, client: Person, worker: Person, order: dict[str, Any]
) -> None:
    other = await register(client.http, "worker")

    path = f"/api/orders/{order['id']}/assign/"
    assigned = expect(await admin.post(path, {"worker_id": other.id}), 200)

    assert assigned["worker_id"] == other.id
    assert (await worker.get(f"/api/orders/{order['id']}/")).status_code == 404
    assert (await other.move(order["id"], "in_progress")).status_code == 200


async def test_an_admin_can_not_assign_who_is_no_worker(admin: Person, client: Person, order: dict[str, Any]) -> None:
    for user_id in (client.id, str(uuid4())):
        problem = expect(await admin.post(f"/api/orders/{order['id']}/assign/", {"worker_id": user_id}), 422)
        assert problem["errors"][0]["field"] == "worker_id"


async def test_a_worker_accepts_for_themselves_only(worker: Person, order: dict[str, Any]) -> None:
    answer = await worker.post(f"/api/orders/{order['id']}/assign/", {"worker_id": str(uuid4())})

    assert answer.status_code == 403


async def test_of_a_cancel_and_an_accept_at_once_one_wins(client: Person, worker: Person) -> None:
    for _ in range(10):
        order = await client.order((await worker.offer())["id"])

        answers = await asyncio.gather(worker.accept(order["id"]), client.move(order["id"], "cancelled"))

        after = expect(await client.get(f"/api/orders/{order['id']}/"), 200)
        moves = [h["to"] for h in after["history"]]
        # An accept that came first may still be followed by the cancel: each answer must be true of the history.
        assert [a.status_code for a in answers].count(200) == len(moves) - 1
        assert all(a.status_code in (200, 404, 409) for a in answers)
        assert moves in (["pending", "assigned"], ["pending", "cancelled"], ["pending", "assigned", "cancelled"])


async def test_of_ten_accepts_at_once_one_wins(worker: Person, order: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(worker.accept(order["id"]) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


async def test_a_worker_gives_back_and_another_takes_over(worker: Person, order: dict[str, Any]) -> None:
    expect(await worker.accept(order["id"]), 200)

    returned = expect(await worker.move(order["id"], "pending"), 200)

    assert (returned["status"], returned["worker_id"]) == ("pending", None)
    assert (await worker.accept(order["id"])).status_code == 200


async def test_the_phone_is_for_the_assigned_worker_alone(client: Person, worker: Person) -> None:
    service = await worker.offer()
    order = await client.order(service["id"], contact_phone="+998901234567")
    path = f"/api/orders/{order['id']}/"

    before = expect(await worker.get(path), 200)["contact_phone"]
    expect(await worker.accept(order["id"]), 200)
    after = expect(await worker.get(path), 200)["contact_phone"]

    assert (order["contact_phone"], before, after) == ("+998901234567", None, "+998901234567")


async def test_lists_show_own_orders_by_status(client: Person, worker: Person, order: dict[str, Any]) -> None:
    expect(await worker.accept(order["id"]), 200)

    for person in (client, worker):
        assert [o["id"] for o in expect(await person.get("/api/orders/", status="assigned"), 200)["results"]] == [
            order["id"]
        ]
        assert expect(await person.get("/api/orders/", status="pending"), 200)["results"] == []


async def test_a_payment_marks_the_order_paid(client: Person, order: dict[str, Any]) -> None:
    expect(await client.pay(order["id"]), 201)

    async def paid() -> bool:
        seen = expect(await client.get(f"/api/orders/{order['id']}/"), 200)
        return bool(seen["payment_status"] == "paid")

    await eventually(paid)
