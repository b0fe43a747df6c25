"""Payments is killed again and again while clients pay: nobody is charged twice, and all agree on what was paid."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.http.idempotency import REPLAYED
from tests.e2e.journeys import RETRIED, one, rows
from tests.support.people import ALWAYS_PAYS, Person, expect, register
from tests.support.stack import Stack
from tests.support.waiting import eventually

SEED = 20261122
KILLS, AMID = 10, 20
"""How often payments is killed, each time while so many begin to pay and some of those before still wait."""
ALWAYS_DECLINED, LOSES_ITS_ANSWER = "4000000000000002", "4000000000000119"
MIXTURE = {ALWAYS_PAYS["number"]: 6, ALWAYS_DECLINED: 2, LOSES_ITS_ANSWER: 2}


@dataclass
class Payer:
    """A client who pays some of the orders."""

    person: Person
    told: dict[str, Any] = field(default_factory=dict)
    """Order → the payment that they were told of."""
    replayed: int = 0
    """Answers that took a second call, for the first had died with payments."""

    async def pay(self, order_id: str, number: Any) -> None:
        """One call under one key, sent until it is answered."""
        body = {"method": "card", "card": ALWAYS_PAYS | {"number": number}}
        key = str(uuid4())

        async def answered() -> Any:
            with suppress(httpx.TransportError):
                answer = await self.person.post(f"/api/payments/order/{order_id}/pay/", body, key=key)
                self.replayed += REPLAYED in answer.headers
                waits = answer.status_code == 409 and answer.json()["type"] == "in-progress"
                return None if waits or answer.status_code in RETRIED else expect(answer, 201)

        self.told[order_id] = await eventually(answered, within=150)

    async def sees(self) -> dict[str, Any]:
        """All their payments, by id."""
        page = expect(await self.person.get("/api/payments/", limit=100), 200)
        assert page["next"] is None
        return {payment["id"]: payment for payment in page["results"]}


@pytest.fixture
def impatient(stack: Stack) -> Iterator[Stack]:
    """What the gateway has never heard of is voided soon: else that alone would take two minutes."""
    with stack.restarted_with("payments", VOID_AFTER="3s"):
        yield stack


@pytest.mark.timeout(400)
async def test_killing_payments_at_random_moments_doubles_no_charge_and_leaves_none_open(
    impatient: Stack, http: httpx.AsyncClient
) -> None:
    stack, chance = impatient, random.Random(SEED)
    payers = [Payer(await register(http, "client")) for _ in range(4)]
    service = await (await register(http, "worker")).offer()
    paying: list[asyncio.Task[None]] = []

    for _ in range(KILLS):
        by = chance.choices(payers, k=AMID)
        cards = chance.choices([*MIXTURE], [*MIXTURE.values()], k=AMID)
        orders = await asyncio.gather(*(payer.person.order(service["id"]) for payer in by))
        paying += [
            asyncio.create_task(payer.pay(order["id"], card))
            for payer, order, card in zip(by, orders, cards, strict=True)
        ]
        await asyncio.sleep(chance.uniform(0, 0.6))
        stack.kill("payments")
        await asyncio.to_thread(stack.start, "payments")
    await asyncio.gather(*paying)
    await _settled(stack)

    assert sum(payer.replayed for payer in payers) > 0
    _assert_the_books_agree(stack, sum(len(payer.told) for payer in payers))
    for payer in payers:
        await _assert_they_see_what_the_books_say(stack, payer)


async def _settled(stack: Stack) -> None:
    async def nothing_hangs() -> bool:
        hanging = one(stack, "payments", "SELECT count(*) FROM payments WHERE status = 'pending'")
        return not hanging and not one(stack, "payments", "SELECT count(*) FROM outbox WHERE published_at IS NULL")

    await eventually(nothing_hangs, within=120)


def _assert_the_books_agree(stack: Stack, payments: int) -> None:
    """The gateway's, the ledger's, and the payments' own."""
    assert payments == KILLS * AMID
    assert rows(stack, "payments", "SELECT reference FROM fake_charges EXCEPT SELECT id FROM payments") == []
    doubled = f"SELECT p.order_id FROM ({_TAKEN}) AS taken JOIN payments p USING (id) GROUP BY 1 HAVING count(*) > 1"
    assert rows(stack, "payments", doubled) == []
    taken, captured, booked = (sorted(rows(stack, "payments", query)) for query in (_TAKEN, _CAPTURED, _BOOKED))
    assert taken == captured == booked
    verified = subprocess.run(
        [sys.executable, "-m", "marketplace", "ledger", "verify"],
        env=dict(stack.environment("payments")),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


async def _assert_they_see_what_the_books_say(stack: Stack, payer: Payer) -> None:
    seen = await payer.sees()
    assert {seen[payment["id"]]["order_id"] for payment in payer.told.values()} == payer.told.keys()
    decided = dict(_of(stack, "SELECT reference::text, declined_as FROM fake_charges", seen))
    assert {id_: payment["failure_code"] for id_, payment in seen.items()} == decided
    assert {id_ for id_, payment in seen.items() if payment["status"] == "completed"} == {
        id_ for id_, code in decided.items() if code is None
    }
    booked = {str(id_): f"{amount:.2f}" for id_, amount in rows(stack, "payments", _BOOKED) if str(id_) in seen}
    assert {id_: payment["amount"] for id_, payment in seen.items() if payment["status"] == "completed"} == booked


def _of(stack: Stack, query: str, ids: Sequence[str] | dict[str, Any]) -> list[tuple[Any, ...]]:
    return rows(stack, "payments", f"{query} WHERE reference = ANY(%s::uuid[])", [*ids])


_TAKEN = "SELECT reference AS id, amount FROM fake_charges WHERE declined_as IS NULL"
_CAPTURED = "SELECT id, amount FROM payments WHERE captured_at IS NOT NULL"
_BOOKED = (
    "SELECT t.payment_id, sum(e.amount) FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id"
    " WHERE t.kind = 'payment' AND e.account = 'escrow' GROUP BY 1"
)
