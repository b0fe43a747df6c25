"""The books refuse what does not balance and what is changed; what was forged all the same is found."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc, text

from marketplace.system import System
from services.payments.repo.verify import QUERIES, VIEWS
from shared.db import Session
from shared.ids import new_id
from tests.integration.payments.books import assert_balanced, database
from tests.support.people import Person, expect


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="100.00"))["id"])


@pytest.fixture
async def payment(client: Person, admin: Person, order: dict[str, Any]) -> dict[str, Any]:
    paid: dict[str, Any] = expect(await client.pay(order["id"]), 201)
    expect(await admin.post(f"/api/payments/{paid['id']}/refund/", {"amount": "30.00"}), 201)
    return paid


async def write(session: Session, *amounts: str) -> None:
    transaction = new_id()
    header = "INSERT INTO ledger_transactions (id, kind, at) VALUES (:id, 'payment', now())"
    await session.exec(text(header).bindparams(id=transaction))
    for amount in amounts:
        columns = "(transaction_id, account, amount, currency)"
        entry = text(f"INSERT INTO ledger_entries {columns} VALUES (:id, 'escrow', :amount, 'UZS')")
        await session.exec(entry.bindparams(id=transaction, amount=Decimal(amount)))


@pytest.mark.parametrize("amounts", [("1.00",), ("1.00", "-0.99"), ("1.00", "1.00", "-1.00")])
async def test_what_does_not_sum_to_zero_is_refused_at_commit(system: System, amounts: tuple[str, ...]) -> None:
    with pytest.raises(exc.IntegrityError, match="does not sum to zero"):
        async with database(system).session() as session:
            await write(session, *amounts)


async def test_what_sums_to_zero_is_taken(system: System) -> None:
    async with database(system).session() as session:
        await write(session, "1.00", "-0.40", "-0.60")
        await session.flush()
        await session.exec(text("SET CONSTRAINTS ALL IMMEDIATE"))
        await session.rollback()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET amount = 0.01",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE ledger_transactions SET kind = 'payout'",
        "DELETE FROM ledger_transactions",
        "UPDATE ledger_entries SET amount = amount WHERE false",
    ],
)
async def test_what_is_written_is_neither_changed_nor_deleted(
    system: System, payment: dict[str, Any], change: str
) -> None:
    with pytest.raises((exc.IntegrityError, exc.DBAPIError), match="append-only"):
        async with database(system).session() as session:
            await session.exec(text(change))


ESCROW = "account = 'escrow' AND owner_id = :order"
FORGERIES = {
    "transaction": f"UPDATE ledger_entries SET amount = amount + 1 WHERE {ESCROW} AND amount > 0",
    "order": "UPDATE payments SET refunded = 29.99 WHERE id = :payment",
    "payment": "UPDATE payments SET amount = 99 WHERE id = :payment",
    "refund": "UPDATE refunds SET status = 'pending', completed_at = NULL WHERE payment_id = :payment",
    "says": "UPDATE refunds SET amount = 29 WHERE payment_id = :payment",
    "promised": "UPDATE refunds SET amount = 101 WHERE payment_id = :payment",
    "although": "UPDATE payments SET status = 'completed' WHERE id = :payment",
    "in escrow": f"UPDATE ledger_entries SET amount = amount - 1000 WHERE {ESCROW} AND amount > 0",
}


@pytest.mark.parametrize("what", FORGERIES)
async def test_what_was_forged_is_found(
    system: System, order: dict[str, Any], payment: dict[str, Any], what: str
) -> None:
    await assert_balanced(system)
    address = database(system).engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    statement = FORGERIES[what].replace(":order", f"'{order['id']}'").replace(":payment", f"'{payment['id']}'")
    with psycopg.connect(address) as connection:
        for table in ("ledger_entries", "ledger_transactions"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        connection.execute(statement)
        found = [
            told.format(*row) for told, query in QUERIES.items() for row in connection.execute(VIEWS + query).fetchall()
        ]
        connection.rollback()

    assert [line for line in found if what in line]
    await assert_balanced(system)
