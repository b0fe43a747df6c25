"""Reads that need no transaction, and connections that wait in the pool."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from marketplace.registry import service_settings
from shared.db import Connected, Database
from shared.db.engine import planned


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    """With one connection, so that whoever comes next gets the one that was used before."""
    opened = Database(service_settings("catalog", env="development", database_url=databases["catalog"], db_pool_size=1))
    yield opened
    await opened.close()


@pytest.fixture
async def other(databases: dict[str, str]) -> AsyncIterator[Database]:
    opened = Database(service_settings("catalog", env="development", database_url=databases["catalog"]))
    yield opened
    await opened.close()


async def said(session: Connected, sql: str) -> object:
    connection = await session.connection()
    return (await connection.execute(text(sql))).scalar_one()


async def test_each_statement_of_a_read_is_a_transaction_of_its_own(database: Database) -> None:
    async with database.reading() as session:
        assert await said(session, "SELECT now()") != await said(session, "SELECT now()")
    async with database.session() as session:
        assert await said(session, "SELECT now()") == await said(session, "SELECT now()")


async def test_reading_takes_no_connection_before_the_first_statement(database: Database) -> None:
    async with database.reading(), database.session() as session:  # of which there is one
        assert await said(session, "SELECT 1") == 1


async def test_a_snapshot_sees_one_moment_and_writes_nothing(database: Database, other: Database) -> None:
    reverse = "UPDATE categories SET slug = reverse(slug) WHERE parent_id IS NULL RETURNING 1"
    slugs = "SELECT min(slug) FROM categories WHERE parent_id IS NULL"
    async with database.snapshot() as session:
        before = await said(session, slugs)
        async with other.session() as elsewhere:
            await (await elsewhere.connection()).execute(text(reverse))
        assert await said(session, slugs) == before
    with pytest.raises(InternalError, match="read-only"):
        async with database.snapshot() as session:
            await said(session, reverse)
    async with database.session() as session:  # the same connection
        assert await said(session, slugs) != before
        assert await said(session, "SHOW transaction_isolation") == "read committed"
        assert await said(session, "SHOW transaction_read_only") == "off"
        await (await session.connection()).execute(text(reverse))


async def test_parameters_hold_for_what_is_planned_under_them_alone(database: Database) -> None:
    async with database.reading() as session:
        async with planned(session, enable_sort="off", work_mem="1MB"):
            assert await said(session, "SHOW enable_sort") == "off"
            assert await said(session, "SHOW work_mem") == "1MB"
        assert await said(session, "SHOW enable_sort") == "on"
    with pytest.raises(ZeroDivisionError):
        async with database.reading() as session, planned(session, enable_sort="off"):
            raise ZeroDivisionError
    async with database.reading() as session:
        assert await said(session, "SHOW enable_sort") == "on"
        assert await said(session, "SELECT now()") != await said(session, "SELECT now()")


async def test_a_service_sets_parameters_of_its_connections(database: Database) -> None:
    async with database.reading() as session:
        assert await said(session, "SHOW plan_cache_mode") == "force_custom_plan"


LAST = "SELECT query FROM pg_stat_activity WHERE pid = {}"


async def test_a_connection_that_waited_is_used_without_a_question(database: Database, other: Database) -> None:
    async with database.reading() as session:
        pid = await said(session, "SELECT pg_backend_pid() /* first */")
    async with database.reading() as session:
        await session.connection()
        async with other.reading() as onlooker:
            assert "first" in str(await said(onlooker, LAST.format(pid)))


async def test_a_connection_that_was_ended_while_it_waited_is_replaced(database: Database, other: Database) -> None:
    for _ in range(3):
        async with database.session() as session:
            pid = await said(session, "SELECT pg_backend_pid()")
        async with other.reading() as onlooker:
            assert await said(onlooker, f"SELECT pg_terminate_backend({pid}, 5000)")
        async with database.session() as session:
            assert await said(session, "SELECT pg_backend_pid()") != pid
