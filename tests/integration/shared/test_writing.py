"""What a transaction adds is written in one statement; copies of many things are kept by one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import col, select

from marketplace.registry import service_settings
from services.orders.models import HistoryEntry, Offer, Order
from shared.db import Database, write_new
from shared.db.copies import keep_newest
from shared.db.writing import AT_ONCE
from shared.ids import new_id
from shared.messaging.tables import OutboxRow
from tests.support.statements import sent

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    opened = Database(service_settings("orders", env="development", database_url=databases["orders"]))
    yield opened
    await opened.close()


def an_order() -> Order:
    someone = new_id()
    return Order(
        id=new_id(),
        number=str(new_id()),
        service_id=someone,
        service_title="Leaking tap repair",
        client_id=someone,
        owner_id=someone,
        status="pending",
        payment_status="unpaid",
        price=Decimal("10.50"),
        quantity=2,
        total=Decimal("21.00"),
        currency="UZS",
        description="",
        address="1 Navoi St",
        accept_by=NOW + timedelta(days=36500),  # so that no timer of the next system cancels it
        created_at=NOW,
        updated_at=NOW,
    )


def a_move(order_id: UUID, note: str | None = None) -> HistoryEntry:
    return HistoryEntry(order_id=order_id, to_status="pending", actor_role="client", note=note, at=NOW)


def an_event(name: str = "order.created") -> OutboxRow:
    """Published, since it is none that the next system in this database could tell of."""
    return OutboxRow(event_id=new_id(), name=name, envelope="{}", created_at=NOW, published_at=NOW)


async def add(database: Database, *rows: Any) -> None:
    async with database.session() as session:
        session.add_all(rows)


async def test_rows_of_three_tables_go_in_one_statement_whoever_refers_to_whom(database: Database) -> None:
    order, told = an_order(), an_event()
    await add(database, an_event())
    with sent() as statements:
        async with database.session() as session:
            session.add(a_move(order.id))
            session.add(told)
            session.add(order)
    assert len(statements) == 1
    async with database.session() as session:
        assert (await session.get(Order, order.id)) == order
        moves = (await session.exec(select(HistoryEntry).where(HistoryEntry.order_id == order.id))).all()
        assert [(move.to_status, move.note, move.at) for move in moves] == [("pending", None, NOW)]
        assert (await session.exec(select(OutboxRow).where(OutboxRow.event_id == told.event_id))).one()


@pytest.mark.parametrize("count", [1, 2, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE + 2])
async def test_rows_are_numbered_in_the_order_in_which_they_were_added(database: Database, count: int) -> None:
    told = [an_event(f"n{number}") for number in range(count)]
    ids = [row.event_id for row in told]
    async with database.session() as session:
        session.add_all(told)
    async with database.session() as session:
        found = select(OutboxRow).where(col(OutboxRow.event_id).in_(ids)).order_by(col(OutboxRow.seq))
        assert [row.event_id for row in (await session.exec(found)).all()] == ids


async def test_rows_of_one_table_may_give_different_columns(database: Database) -> None:
    order = an_order()
    async with database.session() as session:
        session.add(order)
        session.add_all(a_move(order.id, note) for note in ("first", None, "third"))
    async with database.session() as session:
        moves = select(HistoryEntry.note).where(HistoryEntry.order_id == order.id).order_by(col(HistoryEntry.seq))
        assert (await session.exec(moves)).all() == ["first", None, "third"]


async def test_what_is_changed_beside_what_is_added_is_written_too(database: Database) -> None:
    order = an_order()
    async with database.session() as session:
        session.add(order)
    async with database.session() as session:
        found = await session.get(Order, order.id)
        assert found
        found.address = "2 Navoi St"
        session.add(a_move(order.id))
    async with database.session() as session:
        changed = await session.get(Order, order.id)
        assert changed
        assert changed.address == "2 Navoi St"
        assert (await session.exec(select(HistoryEntry).where(HistoryEntry.order_id == order.id))).one()


async def test_of_what_fails_nothing_is_written(database: Database) -> None:
    told = an_event()
    with pytest.raises(IntegrityError):
        await add(database, told, a_move(new_id()))  # of no order
    async with database.session() as session:
        assert not (await session.exec(select(OutboxRow).where(OutboxRow.event_id == told.event_id))).first()


async def test_what_is_written_early_is_read_by_the_same_transaction(database: Database) -> None:
    order = an_order()
    async with database.session() as session:
        session.add(order)
        await write_new(session)
        assert order not in session
        assert await session.get(Order, order.id) == order


def an_offer(version: int, id_: UUID | None = None, **values: Any) -> dict[str, Any]:
    offer = {"id": id_ or new_id(), "worker_id": new_id(), "title": "Tap", "price": Decimal("10.50"), "currency": "UZS"}
    return offer | {"status": "active", "version": version} | values


async def test_of_many_copies_the_newer_are_kept_in_one_statement(database: Database) -> None:
    first = [an_offer(2), an_offer(2), an_offer(2)]
    ids = [offer["id"] for offer in first]
    async with database.session() as session:
        assert await keep_newest(session, Offer, first) == {*ids}
    later = [an_offer(version, id_, title='"New", she said') for version, id_ in zip((1, 2, 3), ids, strict=True)]
    with sent() as statements:
        async with database.session() as session:
            assert await keep_newest(session, Offer, later) == {ids[2]}
    assert len(statements) == 1
    async with database.session() as session:
        kept = {
            offer.id: offer.model_dump() for offer in await session.exec(select(Offer).where(col(Offer.id).in_(ids)))
        }
    assert kept == {ids[0]: first[0], ids[1]: first[1], ids[2]: later[2]}


async def test_what_was_changed_is_written_by_a_statement_each_and_nothing_else_is(database: Database) -> None:
    changed, untouched = an_order(), an_order()
    await add(database, changed, untouched)
    with sent() as statements:
        async with database.session() as session:
            mine, other = await session.get_one(Order, changed.id), await session.get_one(Order, untouched.id)
            mine.status, mine.accept_by, mine.description = "cancelled", None, "other words"
            other.description = untouched.description
            reads = len(statements)
    assert len(statements) - reads <= 2  # a value that was set to what it was may be written, and changes nothing
    async with database.session() as session:
        row = await session.get_one(Order, changed.id)
        assert row.model_dump() == changed.model_dump() | {
            "status": "cancelled",
            "accept_by": None,
            "description": "other words",
        }
        assert (await session.get_one(Order, untouched.id)).model_dump() == untouched.model_dump()


async def test_a_change_that_the_database_refuses_undoes_the_transaction(database: Database) -> None:
    order = an_order()
    await add(database, order)
    with pytest.raises(IntegrityError, match="ck_orders_quantity"):
        await change(database, order.id, quantity=101)
    async with database.session() as session:
        assert (await session.get_one(Order, order.id)).description == order.description


async def change(database: Database, order_id: UUID, **values: Any) -> None:
    async with database.session() as session:
        order = await session.get_one(Order, order_id)
        order.description = "changed"
        for name, value in values.items():
            setattr(order, name, value)


async def test_what_was_set_to_an_expression_is_computed_by_the_database(database: Database) -> None:
    order = an_order()
    await add(database, order)
    await change(database, order.id, version=Order.version + 1)
    async with database.session() as session:
        row = await session.get_one(Order, order.id)
        assert (row.version, row.description) == (order.version + 1, "changed")


async def test_a_row_that_is_gone_is_not_taken_for_changed(database: Database) -> None:
    order = an_order()
    await add(database, order)

    async def change_what_someone_deletes() -> None:
        async with database.session() as session:
            mine = await session.get_one(Order, order.id)
            async with database.session() as another:
                await another.delete(await another.get_one(Order, order.id))
            mine.description = "changed"

    with pytest.raises(StaleDataError):
        await change_what_someone_deletes()
