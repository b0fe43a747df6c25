"""No card's number is kept, logged, told on, or said again: neither one that pays nor one that stands where no card
belongs."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import structlog

from tests.integration.payments.books import when
from tests.support.logs import logging_restored
from tests.support.people import ALWAYS_PAYS, PASSWORD, Person, expect

NUMBER = ALWAYS_PAYS["number"]
IN_FOURS = "8600 4954 7331 6478"
OUTCOMES = {
    NUMBER: "completed",
    "8600495473316478": "completed",
    "5555555555554444": "completed",
    "4000000000000002": "failed",
    "4000000000009995": "failed",
    "4000000000000119": "pending",
}
WRONG_DIGIT = "4242424242424241"
NUMBERS = (*OUTCOMES, WRONG_DIGIT)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Every line of every service and library, before anything is masked in it."""
    root, written = logging.getLogger(), io.StringIO()
    with logging_restored():
        root.addHandler(logging.StreamHandler(written))
        root.setLevel(logging.DEBUG)
        structlog.configure(
            processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
            logger_factory=structlog.PrintLoggerFactory(written),
            cache_logger_on_first_use=False,
        )
        yield written


def numbers_in(text: str) -> list[str]:
    """Which of the cards it holds, however they are written."""
    joined = re.sub(r"(?<=[0-9])[ \xa0-](?=[0-9])", "", text)
    return [number for number in NUMBERS if number in joined]


def everything_in(databases: dict[str, str]) -> str:
    """All rows of all tables of all services, as text."""
    kept = []
    for address in databases.values():
        with psycopg.connect(address) as connection:
            tables = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema='public'")
            for (table,) in tables.fetchall():
                rows = connection.execute(f'SELECT row::text FROM "{table}" AS row'.encode()).fetchall()
                kept += [f"{table} {row}" for (row,) in rows]
    return "\n".join(kept)


async def test_the_cards_of_payments_are_nowhere_afterwards(
    databases: dict[str, str], logged: io.StringIO, client: Person, worker: Person, admin: Person
) -> None:
    service, answers = await worker.offer(), []
    for number, outcome in OUTCOMES.items():
        order = await client.order(service["id"])
        path, body = f"/api/payments/order/{order['id']}/pay/", {"method": "card", "card": ALWAYS_PAYS}
        for card in bad_cards(number):
            refused = await client.post(path, body | card)
            expect(refused, 422)
            answers.append(refused.text)
        key = str(uuid4())
        wish = body | {"card": ALWAYS_PAYS | {"number": number}}
        paid, again = [await client.post(path, wish, key) for _ in range(2)]
        assert (expect(paid, 201)["status"], again.text) == (outcome, paid.text)
        payment = await when(client, paid.json()["id"], lambda seen: seen["status"] != "pending")
        if payment["status"] == "completed":
            back = {"amount": "1.00", "reason": "Why"}
            expect(await admin.post(f"/api/payments/{payment['id']}/refund/", back), 201)
        export = await client.get("/api/users/me/export/")
        answers += [paid.text, json.dumps(payment), export.text]

    kept = everything_in(databases)

    assert numbers_in("".join(answers)) == []
    assert numbers_in(logged.getvalue()) == []
    assert numbers_in(kept) == []
    assert all(number[-4:] in kept for number in OUTCOMES)
    assert "payment_opened" in logged.getvalue()
    assert {"payments", "outbox", "inbox", "fake_charges", "idempotency_keys"} <= {
        row.split()[0] for row in kept.splitlines()
    }


def bad_cards(number: str) -> list[dict[str, Any]]:
    """What is refused of a body with that card."""
    card = ALWAYS_PAYS | {"number": number}
    in_fours = " ".join(re.findall("....", number))
    return [
        {"card": card | {"number": WRONG_DIGIT}},
        {"card": card | {"number": in_fours}},
        {"card": card | {"number": int(number)}},
        {"card": card | {"number": [number]}},
        {"card": card | {"exp_year": 2001}},
        {"card": card | {"exp_month": number}},
        {"card": card | {"cvc": number}},
        {"card": card | {number: number}},
        {"card": card | {in_fours: {}}},
        {"card": {"token": number}},
        {"card": number},
        {"card": card, "method": "payme"},
        {"card": card, "method": number},
        {"card": card, "return_url": f"https://{number}.example.com/{number}"},
        {"card": card, number: number},
    ]


@pytest.mark.parametrize("number", [NUMBER, IN_FOURS])
async def test_a_card_where_none_belongs_is_refused_and_nowhere_afterwards(
    databases: dict[str, str],
    logged: io.StringIO,
    http: httpx.AsyncClient,
    client: Person,
    worker: Person,
    admin: Person,
    number: str,
) -> None:
    text, service = f"Take it from {number}.", await worker.offer()
    order = await client.order(service["id"])
    payment = expect(await client.pay(order["id"]), 201)
    offer = {"title": "Piano", "description": "", "category_id": service["category_id"], "price": "1.00"}
    wish = {"service_id": service["id"], "address": "1 Navoi St"}
    new = {"email": f"{uuid4()}@example.com", "password": PASSWORD, "full_name": "A client", "role": "client"}
    digits = number.replace(" ", "")
    answers = [
        await http.post("/api/auth/register/", json=new | {"full_name": text}),
        await http.post("/api/auth/register/", json=new | {"email": f"{digits}@example.com"}),
        await http.post("/api/auth/register/", json=new | {"phone": number}),
        await http.post("/api/auth/register/", json=new | {"password": number}),
        await http.patch(f"/api/users/{client.id}/", json={"full_name": text}, headers=client.headers),
        await http.patch(f"/api/workers/{worker.id}/", json={"bio": text}, headers=worker.headers),
        await http.patch(f"/api/workers/{worker.id}/", json={"skills": ["tiling", number]}, headers=worker.headers),
        await worker.post("/api/services/", offer | {"title": text}),
        await worker.post("/api/services/", offer | {"description": text}),
        await admin.post(f"/api/services/{service['id']}/moderate/", {"action": "hide", "reason": text}),
        await admin.post("/api/services/categories/", {"name": number}),
        await client.post("/api/orders/create/", wish | {"description": text}),
        await client.post("/api/orders/create/", wish | {"address": text}),
        await client.post("/api/orders/create/", wish | {"contact_phone": number}),
        await client.post("/api/orders/create/", wish, key=number),
        await client.post(f"/api/orders/{order['id']}/status/", {"status": "cancelled", "note": text}),
        await client.post(f"/api/orders/{order['id']}/dispute/", {"reason": text}),
        await admin.post(f"/api/payments/{payment['id']}/refund/", {"reason": text}),
        await admin.post(f"/api/payments/{payment['id']}/refund/", {"reason": "Why"}, key=number),
        await admin.post("/api/payments/payouts/", {"worker_id": worker.id, "amount": "1.00", "reference": number}),
        await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": "payme"}, key=number),
    ]

    assert {str(answer.request.url): answer.status_code for answer in answers if answer.status_code != 422} == {}
    assert numbers_in("".join(answer.text for answer in answers)) == []
    assert numbers_in(logged.getvalue()) == []
    assert numbers_in(everything_in(databases)) == []
