"""One transaction, whether its statements go by the driver, by the ORM or by both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from marketplace.registry import service_settings
from shared.db import Database, Session, Statement, release
from shared.db.base import utcnow
from shared.db.statements import driver_of
from shared.ids import new_id
from shared.messaging.tables import OutboxRow
from tests.support.statements import sent

_TABLE = OutboxRow.metadata.tables["outbox"]
_VALUES = {"event_id": bindparam("id"), "name": literal("x"), "envelope": literal("{}"), "created_at": bindparam("at")}
ADD = Statement[Any](insert(_TABLE).values(_VALUES))
IS_THERE = Statement[Any](select(literal(1)).where(_TABLE.c.event_id == bindparam("id")))


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    """With one connection: whoever were to take a second one would wait for it in vain."""
    settings = service_settings(
        "orders", env="development", database_url=databases["orders"], db_pool_size=1, db_pool_timeout="100ms"
    )
    opened = Database(settings)
    yield opened
    async with opened.session() as session:
        await session.exec(_TABLE.delete().where(_TABLE.c.name == "x"))
    await opened.close()


def a_row() -> OutboxRow:
    return OutboxRow(event_id=new_id(), name="x", envelope="{}", created_at=utcnow())


Way = Callable[[Session, OutboxRow], Awaitable[None]]


async def by_the_driver(session: Session, row: OutboxRow) -> None:
    await ADD.all(session, id=row.event_id, at=row.created_at)


async def by_the_orm(session: Session, row: OutboxRow) -> None:
    session.add(row)
    await session.flush()


async def there(database: Database, *rows: OutboxRow) -> list[bool]:
    return [bool(await database.run(IS_THERE, id=row.event_id)) for row in rows]


async def failing(within: AbstractAsyncContextManager[Session], *writes: tuple[Way, OutboxRow]) -> None:
    async with within as session:
        for way, row in writes:
            await way(session, row)
        raise ZeroDivisionError


@asynccontextmanager
async def _in_savepoint(session: Session) -> AsyncIterator[Session]:
    async with session.begin_nested():
        yield session


WAYS = [(by_the_driver, by_the_orm), (by_the_orm, by_the_driver), (by_the_driver, by_the_driver)]


@pytest.mark.parametrize("ways", WAYS)
async def test_both_ways_are_one_transaction(database: Database, ways: Sequence[Way]) -> None:
    kept, undone = (a_row(), a_row()), (a_row(), a_row())

    async with database.session() as session:
        for way, row in zip(ways, kept, strict=True):
            await way(session, row)
    with pytest.raises(ZeroDivisionError):
        await failing(database.session(), *zip(ways, undone, strict=True))

    assert await there(database, *kept, *undone) == [True, True, False, False]


@pytest.mark.parametrize("way", [by_the_driver, by_the_orm])
async def test_a_savepoint_takes_back_what_came_after_it_by_either_way(database: Database, way: Way) -> None:
    before, within, after = a_row(), a_row(), a_row()

    async with database.session() as session:
        await by_the_driver(session, before)
        with pytest.raises(ZeroDivisionError):
            await failing(_in_savepoint(session), (way, within))
        await way(session, after)

    assert await there(database, before, within, after) == [True, False, True]


async def test_the_orm_sees_what_the_driver_wrote(database: Database) -> None:
    row = a_row()
    async with database.session() as session:
        await by_the_driver(session, row)
        found = await session.exec(select(OutboxRow.name).where(col(OutboxRow.event_id) == row.event_id))  # type: ignore[call-overload]
        assert found.one() == ("x",)


async def test_without_the_orm_a_transaction_is_its_statements_alone(database: Database) -> None:
    row = a_row()
    assert await there(database, row) == [False]  # by a connection, whose beginning has statements of its own
    with sent() as statements:
        async with database.session() as session:
            await by_the_driver(session, row)
    assert len(statements) == 1


async def test_a_released_session_holds_no_connection_and_goes_on_with_another(database: Database) -> None:
    row = a_row()
    async with database.session() as session:
        await IS_THERE.all(session, id=row.event_id)
        await release(session)
        assert await there(database, row) == [False]  # by the only connection
        await by_the_driver(session, row)
    assert await there(database, row) == [True]


async def test_an_error_of_the_commit_is_sqlalchemys_and_undoes_all(database: Database) -> None:
    table = "CREATE TEMPORARY TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"
    row = a_row()

    async def write_it_once_too_often() -> None:
        async with database.session() as session:
            await by_the_driver(session, row)
            driver = driver_of(await session.connection())
            await driver.execute(table)
            await driver.execute("INSERT INTO once VALUES (1), (1)")

    with pytest.raises(IntegrityError, match="23505"):
        await write_it_once_too_often()
    assert await there(database, row) == [False]
