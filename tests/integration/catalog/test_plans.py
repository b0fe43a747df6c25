"""No list of a catalog that has grown reads all of it: what PostgreSQL intends to do for each, by 20,000 services."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from bench.catalog import COMMON, cursors_at_depth, fill, rare_word
from marketplace.databases import UNICODE, UNICODE_BEFORE_17
from marketplace.registry import service_settings
from services.catalog.schemas import ServiceFilters, ServiceQuery
from services.catalog.service import services as service
from shared.db import Database
from shared.db.migrations import upgrade
from shared.http.pagination import Cursor, PageRequest
from tests.support.postgres import PostgresServer

ROWS = 20_000
TASHKENT = "41.311,69.279"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[str]:
    """The address of a catalog of its own, with so many services."""
    url = postgres.admin_url.removesuffix("/postgres") + "/filled"
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        encoded = UNICODE if connection.info.server_version >= 170000 else UNICODE_BEFORE_17
        connection.execute(f"CREATE DATABASE filled {encoded}")
        upgrade("catalog", url)
        fill(url, ROWS)
        yield url
        connection.execute("DROP DATABASE filled WITH (FORCE)")


@pytest.fixture
async def database(filled: str) -> AsyncIterator[Database]:
    opened = Database(service_settings("catalog", env="development", database_url=filled))
    yield opened
    await opened.close()


@pytest.fixture
def plans(database: Database) -> list[Json]:
    """The plan of each statement that reads services, as it is with the values and settings of the moment."""
    found: list[Json] = []

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        if statement.startswith("SELECT") and "FROM services" in statement:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            found.append(cursor.fetchone()[0][0]["Plan"])

    event.listen(database.engine.sync_engine, "before_cursor_execute", explain)
    return found


def nodes(plan: Json) -> Iterator[Json]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def check(plans: list[Json]) -> None:
    assert plans
    for plan in plans:
        read_whole = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
        assert [node["Relation Name"] for node in read_whole if node["Relation Name"] == "services"] == []


NARROWED: list[Json] = [
    {"search": rare_word(3)},
    {"search": COMMON[0]},
    {"search": f"{COMMON[0]} {COMMON[4]}"},
    {"search": "re"},
    {"category": "home-repair"},
    {"category": "cleaning", "city": "Toshkent", "min_price": "100000", "max_price": "200000"},
    {"city": "samarqand"},
    {"near": TASHKENT},
    {"near": "42.9,70.9"},
    {"near": TASHKENT, "search": COMMON[0]},
    {"near": TASHKENT, "search": rare_word(3), "radius_km": 50},
]


@pytest.mark.parametrize("ordering", ["-created_at", "created_at", "price", "-price", "rating", "-rating"])
@pytest.mark.parametrize("deep", [False, True])
async def test_a_list_walks_the_index_of_its_ordering(
    database: Database, plans: list[Json], filled: str, ordering: str, deep: bool
) -> None:
    at = {name.removeprefix("-"): cursor for name, cursor in cursors_at_depth(filled).items()}
    cursor = Cursor.decode(at[ordering.removeprefix("-")]) if deep else None

    rows = await find(database, {"ordering": ordering}, cursor)

    assert len(rows) == 21
    check(plans)
    assert {node["Node Type"] for plan in plans for node in nodes(plan)} == {"Limit", "Index Scan"}


ORDERED = [(query, ordering) for query in NARROWED for ordering in (None, "price", "-rating")]
ORDERED += [(query, "distance") for query in NARROWED if "near" in query]


@pytest.mark.parametrize(("query", "ordering"), ORDERED)
async def test_a_narrowed_list_reads_no_whole_catalog(
    database: Database, plans: list[Json], query: Json, ordering: str | None
) -> None:
    await find(database, query | {"ordering": ordering})

    check(plans)


async def test_what_is_nearest_is_walked_to(database: Database, plans: list[Json]) -> None:
    rows = await find(database, {"near": TASHKENT, "ordering": "distance"})

    assert len(rows) == 21
    assert [node["Index Name"] for node in nodes(plans[-1]) if node["Node Type"] == "Index Scan"][:1] == [
        "ix_services_place"
    ]
    assert "Sort" not in {node["Node Type"] for node in nodes(plans[-1])}


@pytest.mark.parametrize("query", [{}, *NARROWED])
async def test_facets_read_no_whole_catalog(database: Database, plans: list[Json], query: Json) -> None:
    async with database.session() as session:
        await service.count_services(session, "uz", dict(ServiceFilters.model_validate(query)))

    check(plans)


async def find(database: Database, query: Json, cursor: Cursor | None = None) -> Any:
    parsed = ServiceQuery.model_validate(query)
    filters = dict(parsed)
    order = service.order_of(filters.pop("ordering"), parsed.search)
    async with database.session() as session:
        return await service.find_services(session, PageRequest(20, cursor, "", {}), order, filters)
