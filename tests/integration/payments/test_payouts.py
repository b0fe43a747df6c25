"""What is owed to a worker, and paid out to them: never more, and once."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from marketplace.system import System
from tests.integration.payments.books import assert_balanced, completed, known, release
from tests.support.people import Person, expect, register


@pytest.fixture
async def earned(system: System, client: Person, worker: Person) -> list[dict[str, Any]]:
    """Two orders' worth: 180.00."""
    orders = []
    for _ in range(2):
        order = await client.order((await worker.offer(price="100.00"))["id"])
        expect(await client.pay(order["id"]), 201)
        await completed(worker, order)
        await known(system, order, "completed")
        orders.append(order)
    await release(system)
    return orders


async def balance(worker: Person, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = expect(await worker.get("/api/payments/balance/", **query), 200)
    return found


async def pay_out(admin: Person, worker: Person, amount: str, reference: str | None = None) -> Any:
    body = {"worker_id": worker.id, "amount": amount, "reference": reference or str(uuid4())}
    return await admin.post("/api/payments/payouts/", body)


async def test_a_balance_is_the_sum_of_its_entries_page_by_page(
    client: Person, worker: Person, admin: Person, earned: list[dict[str, Any]]
) -> None:
    expect(await pay_out(admin, worker, "50.00", "bank-1"), 201)

    first = await balance(worker, limit=2)
    rest = expect(await worker.get(first["next"]), 200)

    assert (first["balance"], first["currency"], rest["balance"]) == ("130.00", "UZS", "130.00")
    assert [(e["kind"], e["amount"]) for e in first["results"] + rest["results"]] == [
        ("payout", "-50.00"),
        ("release", "90.00"),
        ("release", "90.00"),
    ]
    assert {e["order_id"] for e in first["results"] + rest["results"]} == {None, *(order["id"] for order in earned)}
    assert rest["next"] is None


async def test_a_balance_is_ones_own_and_a_payout_an_admins(
    client: Person, worker: Person, admin: Person, earned: list[dict[str, Any]]
) -> None:
    stranger = await register(client.http, "worker")

    assert (await balance(stranger))["balance"] == "0.00"
    assert (await balance(stranger))["results"] == []
    assert (await client.get("/api/payments/balance/")).status_code == 403
    assert (await pay_out(worker, worker, "1.00")).status_code == 403


async def test_no_more_is_paid_out_than_the_balance_also_at_once(
    system: System, worker: Person, admin: Person, earned: list[dict[str, Any]]
) -> None:
    assert expect(await pay_out(admin, worker, "180.01"), 409)["type"] == "above-balance"

    answers = await asyncio.gather(*(pay_out(admin, worker, "50.00") for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert (await balance(worker))["balance"] == "30.00"
    await assert_balanced(system)


async def test_a_reference_is_paid_out_once(
    system: System, worker: Person, admin: Person, earned: list[dict[str, Any]]
) -> None:
    reference = str(uuid4())

    answers = await asyncio.gather(*(pay_out(admin, worker, "50.00", reference) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"payout-exists"}
    assert (await balance(worker))["balance"] == "130.00"
