"""What PostgreSQL intends to do for a service's statements, on a database of its own that has grown a little."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncCursor

from marketplace.databases import UNICODE, UNICODE_BEFORE_17
from marketplace.registry import service_settings
from shared.db import Database
from shared.db.migrations import upgrade
from tests.support.postgres import PostgresServer

Plan = dict[str, Any]


@contextmanager
def filled_database(
    postgres: PostgresServer, service: str, fill: Callable[[str, int], object], rows: int
) -> Iterator[str]:
    """The address of the service's database with so many rows, which is gone afterwards."""
    name = f"filled_{service}_{rows}"
    url = postgres.admin_url.removesuffix("/postgres") + f"/{name}"
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        encoded = UNICODE if connection.info.server_version >= 170000 else UNICODE_BEFORE_17
        connection.execute(f"CREATE DATABASE {name} {encoded}")
        upgrade(service, url)
        fill(url, rows)
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def opened(service: str, url: str, **info: object) -> AsyncIterator[Database]:
    """The service's `Database` there, whose sessions know `info`."""
    database = Database(service_settings(service, env="development", database_url=url))
    database.session_info |= info
    yield database
    await database.close()


def explained(monkeypatch: pytest.MonkeyPatch, *tables: str) -> list[Plan]:
    """The plan of each statement from now on that reads one of the tables, as it is with the values and settings of the
    moment."""
    found: list[Plan] = []
    reads = re.compile(rf"FROM ({'|'.join(tables)})\b")
    execute = AsyncCursor.execute

    async def explaining(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        statement = str(query)
        if statement.startswith(("SELECT", "WITH")) and reads.search(statement):
            plan = await execute(self.connection.cursor(), f"EXPLAIN (FORMAT JSON) {statement}", params)
            found.append((await plan.fetchall())[0][0][0]["Plan"])
        return await execute(self, query, params, **options)

    monkeypatch.setattr(AsyncCursor, "execute", explaining)
    return found


def nodes(plans: Sequence[Plan]) -> Iterator[Plan]:
    """Every step of the plans."""
    for plan in plans:
        yield plan
        yield from nodes(plan.get("Plans", []))


def read_whole(plans: Sequence[Plan]) -> set[str]:
    """The tables that are read from one end to the other."""
    return {node["Relation Name"] for node in nodes(plans) if node["Node Type"] == "Seq Scan"}
