"""A client complains while the money is held, and an admin decides."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from marketplace.system import System
from tests.integration.orders.money import PRICE, Money, decisions_told, disputes_told, refunds_asked
from tests.support.events import asked, erased, settings_changed, tables_with, told
from tests.support.people import Person, expect

REASON = {"reason": "It still leaks."}


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    """Under way."""
    order = await client.order((await worker.offer(price=str(PRICE)))["id"])
    expect(await worker.accept(order["id"]), 200)
    begun: dict[str, Any] = expect(await worker.move(order["id"], "in_progress"), 200)
    return begun


def dispute_of(order: dict[str, Any]) -> str:
    return f"/api/orders/{order['id']}/dispute/"


async def decide(admin: Person, order: dict[str, Any], refund_amount: Any = "0.00", note: str = "It does not.") -> Any:
    return await admin.post(f"{dispute_of(order)}resolve/", {"refund_amount": refund_amount, "note": note})


async def shown(person: Person, order: dict[str, Any]) -> Any:
    return expect(await person.get(f"/api/orders/{order['id']}/"), 200)["dispute"]


async def test_a_dispute_is_shown_to_all_who_see_the_order(
    client: Person, worker: Person, admin: Person, order: dict[str, Any]
) -> None:
    assert await shown(client, order) is None

    opened = expect(await client.post(dispute_of(order), REASON), 201)

    assert (opened["status"], opened["reason"], opened["opened_by"]) == ("open", REASON["reason"], client.id)
    assert (opened["refund_amount"], opened["note"], opened["resolved_at"]) == (None, None, None)
    assert [await shown(person, order) for person in (client, worker, admin)] == [opened] * 3


async def test_an_order_is_disputed_from_its_begin_until_the_money_is_released(
    system: System, client: Person, worker: Person, admin: Person
) -> None:
    order = await client.order((await worker.offer())["id"])
    slugs = []
    for step in ("", "assigned"):
        if step:
            expect(await worker.accept(order["id"]), 200)
        slugs.append(expect(await client.post(dispute_of(order), REASON), 409)["type"])
    assert slugs == ["not-disputable"] * 2

    expect(await worker.move(order["id"], "in_progress"), 200)
    expect(await worker.move(order["id"], "completed"), 200)
    with settings_changed(system, "orders", escrow_hold=timedelta(0)):
        assert expect(await client.post(dispute_of(order), REASON), 409)["type"] == "money-released"
    expect(await client.post(dispute_of(order), REASON), 201)


async def test_a_cancelled_order_is_not_disputed(client: Person, admin: Person, order: dict[str, Any]) -> None:
    expect(await admin.move(order["id"], "cancelled"), 200)

    assert expect(await client.post(dispute_of(order), REASON), 409)["type"] == "not-disputable"


async def test_what_is_in_dispute_can_be_listed(
    client: Person, worker: Person, admin: Person, order: dict[str, Any]
) -> None:
    await client.order((await worker.offer())["id"])

    async def listed(person: Person) -> list[str]:
        found = expect(await person.get("/api/orders/", disputed="true", limit=100), 200)["results"]
        return [each["id"] for each in found]

    assert await listed(client) == []
    expect(await client.post(dispute_of(order), REASON), 201)
    assert await listed(client) == await listed(worker) == [order["id"]]
    assert order["id"] in await listed(admin)
    expect(await decide(admin, order), 200)
    assert await listed(client) == []
    assert order["id"] not in await listed(admin)


async def test_of_ten_disputes_at_once_one_is_opened(client: Person, admin: Person, order: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(client.post(dispute_of(order), REASON) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"dispute-open"}


async def test_an_admin_decides_once(client: Person, admin: Person, order: dict[str, Any]) -> None:
    opened = expect(await client.post(dispute_of(order), REASON), 201)

    resolved = expect(await decide(admin, order), 200)

    decision = {"status": "resolved", "refund_amount": "0.00", "note": "It does not.", "resolved_by": admin.id}
    assert resolved == opened | decision | {"resolved_at": resolved["resolved_at"]}
    assert resolved["resolved_at"] > opened["opened_at"]
    assert await shown(client, order) == resolved
    assert expect(await decide(admin, order), 409)["type"] == "no-open-dispute"


async def test_what_is_decided_may_be_disputed_again(client: Person, admin: Person, order: dict[str, Any]) -> None:
    expect(await client.post(dispute_of(order), REASON), 201)
    expect(await decide(admin, order), 200)

    again = expect(await client.post(dispute_of(order), {"reason": "It leaks again."}), 201)

    assert await shown(client, order) == again


@pytest.mark.parametrize("refund", ["150000.00", "149999.99", "0.00", 0])
async def test_a_decision_is_told_and_asks_for_nothing_else(
    system: System, client: Person, admin: Person, order: dict[str, Any], refund: Any
) -> None:
    money = Money(system, order)
    await money.is_told(money.completed())
    dispute = expect(await client.post(dispute_of(order), REASON), 201)
    assert await disputes_told(system, order) == [dispute["id"]]

    expect(await decide(admin, order, refund), 200)

    assert await decisions_told(system, order) == [(dispute["id"], refund or "0.00")]
    assert await refunds_asked(system, order) == []


async def test_no_more_goes_back_than_is_held(
    system: System, client: Person, admin: Person, order: dict[str, Any]
) -> None:
    money = Money(system, order)
    await money.is_told(money.refunded(3, "50000.00"))
    expect(await client.post(dispute_of(order), REASON), 201)

    for wrong in ("100000.01", "-1.00", "1.001", 0.5, True):
        problem = expect(await decide(admin, order, wrong), 422)
        assert [error["field"] for error in problem["errors"]] == ["refund_amount"]
    assert (await shown(client, order))["status"] == "open"
    assert await decisions_told(system, order) == []
    expect(await decide(admin, order, "100000.00"), 200)


async def test_a_reason_is_not_blank(client: Person, admin: Person, order: dict[str, Any]) -> None:
    for blank in ("", "  "):
        assert (await client.post(dispute_of(order), {"reason": blank})).status_code == 422


async def test_an_erased_client_leaves_no_word_of_their_disputes_and_an_export_holds_only_ones_own(
    system: System, client: Person, worker: Person, admin: Person, order: dict[str, Any]
) -> None:
    words = f"secret{uuid4().hex}"
    expect(await client.post(dispute_of(order), {"reason": words}), 201)
    expect(await decide(admin, order), 200)

    async def exported(person: Person) -> Any:
        (held,) = (await asked(system, "orders", f"/internal/users/{person.id}/export/"))["orders"]
        return [(dispute["reason"], dispute["note"]) for dispute in held["disputes"]]

    assert (await exported(client), await exported(worker)) == ([(words, None)], [(None, None)])
    await told(system, erased(client, 2), "orders")
    assert await tables_with(system, "orders", words) == set()
