"""Rows of the driver's own statements, as objects that the session tracks as if its ORM had read them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import bindparam, select

from services.catalog.models import Base, Worker
from shared.db import Database, Session, Statement
from shared.db.tracked import tracked
from shared.ids import new_id
from tests.support.plans import opened

WORKERS = Base.metadata.tables["workers"]
BY_NAME = Statement[dict[str, Any]](
    select(*WORKERS.columns).where(WORKERS.c.full_name == bindparam("name")).with_for_update(), dict
)


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    async with opened("catalog", databases["catalog"]) as database:
        yield database


@pytest.fixture
async def name(database: Database) -> str:
    """Of one worker."""
    worker = Worker(id=new_id(), full_name=f"Worker {new_id()}", is_active=True, version=1)
    async with database.session() as session:
        session.add(worker)
    return worker.full_name or ""


async def find(session: Session, name: str) -> Worker:
    (found,) = await tracked(session, Worker, BY_NAME, name=name)
    return found


async def test_a_row_is_what_the_orm_would_make_of_it(database: Database, name: str) -> None:
    async with database.session() as session:
        found = await find(session, name)
        assert isinstance(found, Worker)
        dumped = found.model_dump()
    async with database.session() as session:
        assert (await session.get_one(Worker, found.id)).model_dump() == dumped
        assert dumped["full_name"] == name


async def test_what_is_changed_of_it_is_written_at_the_end(database: Database, name: str) -> None:
    async with database.session() as session:
        found = await find(session, name)
        found.version = 7
    async with database.session() as session:
        again = await find(session, name)
        assert (again.version, again.is_active, again is found) == (7, True, False)


async def test_what_is_not_changed_is_not_to_be_written(database: Database, name: str) -> None:
    async with database.session() as session:
        await find(session, name)
        assert not session.dirty


async def test_within_a_session_it_stays_one_object_that_is_as_the_row_is_now(database: Database, name: str) -> None:
    async with database.session() as session:
        worker_id = (await find(session, name)).id
    async with database.session() as session:
        by_orm = await session.get_one(Worker, worker_id)
        async with database.session() as other:
            (await find(other, name)).version = 9
        assert by_orm.version == 1
        assert (await find(session, name)) is by_orm
        assert by_orm.version == 9


async def test_a_change_is_written_before_it_is_read_again(database: Database, name: str) -> None:
    async with database.session() as session:
        found = await find(session, name)
        found.version = 8
        assert (await find(session, name)) is found
        assert found.version == 8


async def test_what_is_rolled_back_is_not_written(database: Database, name: str) -> None:
    async def fail() -> None:
        async with database.session() as session:
            (await find(session, name)).version = 9
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.session() as session:
        assert (await find(session, name)).version == 1
