"""Catalog is at another edition once anything public has changed, and not before."""

from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest
from psycopg import Connection

from marketplace.system import System
from services.catalog.models import SHOWN_TO_ALL, Base
from services.catalog.repo.editions import edition
from shared.db import Database
from tests.integration.catalog.offers import offer
from tests.support.people import Person, expect
from tests.support.plans import filled_database, opened
from tests.support.postgres import PostgresServer

NOT_SHOWN = {"moderation_log", "public_changes"}
"""Tables of which public answers tell nothing."""
WRITES = (
    "INSERT INTO {0} (id) SELECT id FROM {0} WHERE false",
    "UPDATE {0} SET id = id WHERE false",
    "DELETE FROM {0} WHERE false",
    "TRUNCATE {0} CASCADE",
)


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> Iterator[str]:
    with filled_database(postgres, "catalog", lambda *_: None, 1) as url:
        yield url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with opened("catalog", url) as database:
        yield database


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with psycopg.connect(url) as connection:
        yield connection


def test_every_table_is_known_to_be_shown_or_not() -> None:
    assert not NOT_SHOWN & {*SHOWN_TO_ALL}
    assert Base.metadata.tables.keys() == NOT_SHOWN | {*SHOWN_TO_ALL}


@pytest.mark.parametrize("table", SHOWN_TO_ALL)
@pytest.mark.parametrize("write", WRITES, ids=lambda write: str(write).split()[0])
async def test_a_write_to_what_is_shown_makes_another_once_it_is_committed(
    database: Database, connection: Connection, table: str, write: str
) -> None:
    before = await edition(database)
    connection.execute(write.format(table).encode())
    assert await edition(database) == before
    connection.commit()
    assert await edition(database) != before


async def test_what_is_rolled_back_makes_none(database: Database, connection: Connection) -> None:
    before = await edition(database)
    connection.execute("UPDATE categories SET position = 1")
    connection.rollback()
    assert await edition(database) == before


async def test_what_is_committed_late_makes_one_too(database: Database, connection: Connection, url: str) -> None:
    connection.execute("UPDATE categories SET position = 1")
    with psycopg.connect(url) as other:  # writes after it, to another table, and is done before it
        other.execute("UPDATE workers SET version = 2")
    between = await edition(database)
    connection.commit()
    assert await edition(database) != between


async def test_old_changes_are_forgotten_and_no_two_editions_are_the_same(
    database: Database, connection: Connection
) -> None:
    connection.autocommit = True
    seen = set()
    for _ in range(30):
        for _ in range(100):
            connection.execute("DELETE FROM images WHERE false")
        seen.add(await edition(database))
    assert len(seen) == 30
    ((left,),) = connection.execute("SELECT count(*) FROM public_changes").fetchall()
    assert left < 2000


async def test_what_changes_is_seen_and_reading_changes_nothing(
    system: System, http: httpx.AsyncClient, worker: Person
) -> None:
    async with httpx.AsyncClient(base_url=system.urls["catalog"], trust_env=False) as own:

        async def said() -> str:
            text: str = expect(await own.get("/edition.json"), 200)["edition"]
            return text

        first = await said()
        offered = await offer(worker)
        second = await said()
        for path in ("/api/services/", "/api/services/facets/", f"/api/services/{offered['id']}/"):
            expect(await http.get(path), 200)
        change = {"title": "Another"}
        expect(await http.patch(f"/api/services/{offered['id']}/", json=change, headers=worker.headers), 200)
        assert len({first, second, await said()}) == 3


async def test_the_gateway_does_not_show_it(http: httpx.AsyncClient) -> None:
    expect(await http.get("/edition.json"), 404)
