"""What runs by the driver itself says, gives and raises what SQLAlchemy would."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    MetaData,
    Table,
    Uuid,
    any_,
    bindparam,
    exc,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlmodel import col

from marketplace.registry import service_settings
from services.notifications.models import Notification
from services.orders.models import Order
from shared.db import Database, Session, abandon
from shared.db.base import utcnow
from shared.db.statements import Statement
from shared.errors import Unavailable
from shared.http.responses import RowsResponse
from shared.ids import new_id
from tests.support.statements import sent

ORDERS = Order.metadata.tables["orders"]
ONE = select(*ORDERS.columns).where(ORDERS.c.id == bindparam("order_id"))


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    settings = service_settings("orders", env="development", database_url=databases["orders"])
    opened = Database(settings.model_copy(update={"db_statement_timeout": timedelta(seconds=1), "db_pool_size": 1}))
    yield opened
    await opened.close()


def an_order(**differences: Any) -> Order:
    someone, now = new_id(), utcnow()
    values = {
        "id": new_id(),
        "number": str(new_id()),
        "service_id": someone,
        "service_title": '50 % "off", it\'s %(so)s',
        "client_id": someone,
        "owner_id": someone,
        "status": "pending",
        "payment_status": "unpaid",
        "price": Decimal("10.50"),
        "quantity": 2,
        "total": Decimal("21.00"),
        "currency": "UZS",
        "description": "",
        "address": "",
        "scheduled_at": now + timedelta(days=1, microseconds=1),
        "accept_by": now,
        "created_at": now,
        "updated_at": now,
    }
    return Order(**values | differences)


def types_of(order: Order) -> dict[str, type]:
    return {name: type(value) for name, value in order.model_dump().items()}


async def kept(database: Database, *orders: Order) -> None:
    async with database.session() as session:
        session.add_all(orders)


async def test_for_json_ids_and_amounts_are_texts_and_all_else_as_it_is(database: Database) -> None:
    order = an_order(worker_id=None)
    async with database.session() as session:
        session.add(order)
    ((text,), (plain,)) = [
        await database.run(Statement[dict[str, Any]](ONE, dict, as_text=as_text), order_id=order.id)
        for as_text in (True, False)
    ]
    kinds = {name for name, value in plain.items() if isinstance(value, UUID | Decimal)}
    assert kinds >= {"id", "client_id", "price", "total"}
    assert text == {name: str(value) if name in kinds else value for name, value in plain.items()}
    assert RowsResponse(text).body == RowsResponse(plain).body
    assert text["worker_id"] is None


async def test_rows_are_what_sqlalchemy_makes_of_them(database: Database) -> None:
    order = an_order(contact_phone="+998901234567")
    await kept(database, order)
    models, dicts, tuples = Statement(ONE, Order.model_construct), Statement(ONE, dict), Statement[Any](ONE)

    async with database.session() as session:
        expected = await session.get_one(Order, order.id)
        model = await models.one(session, order_id=order.id)
        assert model.model_dump() == expected.model_dump() == await dicts.one(session, order_id=order.id)
        assert (await tuples.one(session, order_id=order.id)).service_title == order.service_title
        assert types_of(model) == types_of(expected)
        assert await models.first(session, order_id=new_id()) is None
        assert await models.all(session, order_id=new_id()) == []


async def test_it_is_part_of_the_sessions_transaction(database: Database) -> None:
    order = an_order()
    await kept(database, order)
    rename = update(ORDERS).where(ORDERS.c.id == bindparam("order_id")).values(address=bindparam("to"))

    async with database.session() as session:
        await Statement[Any](rename).all(session, order_id=order.id, to="elsewhere")
        assert (await Statement[Any](ONE).one(session, order_id=order.id)).address == "elsewhere"
        await abandon(session)

    (row,) = await database.run(Statement[Any](ONE), order_id=order.id)
    assert row.address == ""


async def test_one_that_runs_alone_is_one_round_trip_and_committed(database: Database) -> None:
    order = an_order()
    await kept(database, order)
    move = update(ORDERS).where(ORDERS.c.id == bindparam("order_id")).values(address=bindparam("to"))

    with sent() as statements:
        await database.run(Statement[Any](move), order_id=order.id, to="elsewhere")

    assert len(statements) == 1
    async with database.session() as session:
        assert (await session.get_one(Order, order.id)).address == "elsewhere"


async def test_many_values_go_as_an_array_and_those_it_was_made_with_stay(database: Database) -> None:
    mine, other = an_order(), an_order(status="cancelled", accept_by=None)
    await kept(database, mine, other)
    these = col(Order.id) == any_(bindparam("ids", type_=ARRAY(Uuid)))
    found = Statement[Any](select(ORDERS.c.id).where(these, col(Order.status).in_(("pending", "assigned"))))

    async with database.session() as session:
        assert [row.id for row in await found.all(session, ids=[mine.id, other.id, new_id()])] == [mine.id]


def test_a_list_of_values_of_any_length_is_no_statement_of_one_text() -> None:
    with pytest.raises(ValueError, match="not the same text"):
        _ = Statement(select(ORDERS.c.id).where(ORDERS.c.id.in_(bindparam("ids", expanding=True))))._compiled


def test_what_python_fills_in_each_time_is_not_kept_as_it_was_the_first_time() -> None:
    stamped = Table("stamped", MetaData(), Column("id", Uuid, primary_key=True), Column("at", DateTime, default=utcnow))
    with pytest.raises(ValueError, match="filled in by Python"):
        _ = Statement(insert(stamped).values(id=bindparam("id")))._compiled


async def test_what_python_fills_in_by_the_same_each_time_is_filled_in(database: Database) -> None:
    order = an_order()
    values = order.model_dump(exclude={"version"})
    add = Statement[Any](insert(ORDERS).values({name: bindparam(name) for name in values}).returning(ORDERS.c.version))

    assert await database.run(add, **values) == [(1,)]


async def test_json_goes_as_json(databases: dict[str, str]) -> None:
    database = Database(service_settings("notifications", env="development", database_url=databases["notifications"]))
    table = Notification.metadata.tables["notifications"]
    add = insert(table).values({name: bindparam(name) for name in ("id", "user_id", "seq", "type", "title", "data")})
    added = Statement[Any](add.values(created_at=func.now()).returning(table.c.data))
    data = {"price": "1.50", "names": ["Ўзбек", None]}
    try:
        async with database.session() as session:
            row = await added.one(
                session, id=new_id(), user_id=new_id(), seq=1, type="order_created", title="-", data=data
            )
            assert row.data == data
            await session.rollback()
    finally:
        await database.close()


async def test_an_error_is_sqlalchemys_and_leaves_the_values_out(database: Database) -> None:
    order = an_order()
    await kept(database, order)
    renumber = Statement[Any](update(ORDERS).where(ORDERS.c.id == bindparam("order_id")).values(number=bindparam("to")))
    other = an_order(address="1 Secret St")
    await kept(database, other)

    with pytest.raises(exc.IntegrityError) as raised:
        async with database.session() as session:
            await renumber.all(session, order_id=other.id, to=order.number)

    assert "uq_orders_number" in str(raised.value)
    assert "SQLSTATE 23505" in str(raised.value)
    assert order.number not in str(raised.value)
    assert order.number not in str(raised.value.orig)


async def test_what_takes_too_long_is_unavailable_and_the_connection_serves_on(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.run(Statement[Any](select(func.pg_sleep(bindparam("seconds")))), seconds=5)
    assert await database.run(Statement[Any](select(literal(1).label("one")))) == [(1,)]


async def test_who_is_cancelled_leaves_nothing_for_the_next(database: Database) -> None:
    sleep = Statement[Any](select(func.pg_sleep(bindparam("seconds"))))

    async def slow(session: Session) -> None:
        await sleep.all(session, seconds=0.5)

    async with database.reading() as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await slow(session)
    assert await database.run(Statement[Any](select(literal(7).label("seven")))) == [(7,)]


async def test_a_connection_that_the_server_ended_is_not_used_again(database: Database) -> None:
    async with database.reading() as session:
        (me,) = await Statement[Any](select(func.pg_backend_pid().label("pid"))).all(session)
    with pytest.raises(Unavailable):
        await database.run(Statement[Any](select(func.pg_terminate_backend(bindparam("pid")))), pid=me.pid)
    (now,) = await database.run(Statement[Any](select(func.pg_backend_pid().label("pid"))))
    assert now.pid != me.pid
