"""No list of a catalog that has grown reads all of it: what PostgreSQL intends to do for each, by 20,000 services."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bench.catalog import COMMON, cursors_at_depth, fill, rare_word
from services.catalog.domain import Order
from services.catalog.repo import lists
from services.catalog.repo.filters import Filters
from services.catalog.repo.statistics import Statistics
from services.catalog.schemas import ServiceFilters, ServiceQuery
from services.catalog.service import services as service
from shared.db import Database
from shared.http.pagination import Cursor, PageRequest
from tests.support.plans import Plan, explained, filled_database, nodes, opened, read_whole
from tests.support.postgres import PostgresServer

ROWS = 20_000
TASHKENT = "41.311,69.279"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[str]:
    with filled_database(postgres, "catalog", fill, ROWS) as url:
        yield url


@pytest.fixture
async def database(filled: str) -> AsyncIterator[Database]:
    async with opened("catalog", filled, statistics=Statistics()) as database:
        yield database


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    return explained(monkeypatch, "services")


def check(plans: list[Plan]) -> None:
    assert plans
    assert "services" not in read_whole(plans)


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
    database: Database, plans: list[Plan], filled: str, ordering: str, deep: bool
) -> None:
    at = {name.removeprefix("-"): cursor for name, cursor in cursors_at_depth(filled).items()}
    cursor = Cursor.decode(at[ordering.removeprefix("-")]) if deep else None

    rows = await find(database, {"ordering": ordering}, cursor)

    assert len(rows) == 21
    check(plans)
    of_services = {node["Node Type"] for node in nodes(plans) if node.get("Relation Name") != "worker_profiles"}
    assert of_services == {"Limit", "Index Scan"}


async def test_a_list_of_one_category_is_walked_in_its_order(database: Database, plans: list[Plan]) -> None:
    rows = await find(database, {"category": "plumbing"})

    assert len(rows) == 21
    used = {node["Index Name"] for node in nodes(plans[-1:]) if node.get("Relation Name") == "services"}
    assert used == {"ix_services_category"}
    assert "Sort" not in {node["Node Type"] for node in nodes(plans[-1:])}


ORDERED = [(query, ordering) for query in NARROWED for ordering in (None, "price", "-rating")]
ORDERED += [(query, "distance") for query in NARROWED if "near" in query]


@pytest.mark.parametrize(("query", "ordering"), ORDERED)
async def test_a_narrowed_list_reads_no_whole_catalog(
    database: Database, plans: list[Plan], query: Json, ordering: str | None
) -> None:
    await find(database, query | {"ordering": ordering})

    check(plans)


async def test_what_is_nearest_is_walked_to(database: Database, plans: list[Plan]) -> None:
    rows = await find(database, {"near": TASHKENT, "ordering": "distance"})

    assert len(rows) == 21
    assert [node["Index Name"] for node in nodes(plans[-1:]) if node["Node Type"] == "Index Scan"][:1] == [
        "ix_services_place"
    ]
    assert "Sort" not in {node["Node Type"] for node in nodes(plans[-1:])}


@pytest.mark.parametrize("search", [f"{COMMON[0]} {COMMON[4]}", COMMON[5], "уста кафолат"])
async def test_of_enough_whole_words_only_the_best_rated_services_are_fetched(
    database: Database, plans: list[Plan], monkeypatch: pytest.MonkeyPatch, search: str
) -> None:
    for name, less in (("RANKED", 50), ("AMPLE", 150), ("WALKED", 0)):
        monkeypatch.setattr(lists, name, less)
    page = PageRequest(20, None, "", {})
    async with database.reading() as session:
        whole = Filters(search=search, whole_words=True)
        best = await lists._rows(session, whole, Order.RELEVANCE, page, lists._collected)
    plans.clear()

    found = await find(database, {"search": search})

    assert [row["id"] for row in found] == [row["id"] for row in best]
    assert len(found) == 21
    of_best = {"ix_services_score", "ix_services_search_best"}
    assert of_best & {node.get("Index Name") for node in nodes(plans[-1:])}


@pytest.mark.parametrize("query", [{}, *NARROWED])
async def test_facets_read_no_whole_catalog(database: Database, plans: list[Plan], query: Json) -> None:
    async with database.reading() as session:
        await service.count_services(session, "uz", dict(ServiceFilters.model_validate(query)))

    check(plans)


async def find(database: Database, query: Json, cursor: Cursor | None = None) -> Any:
    parsed = ServiceQuery.model_validate(query)
    filters = dict(parsed)
    order = service.order_of(filters.pop("ordering"), parsed.search)
    async with database.reading() as session:
        return await service.find_services(session, PageRequest(20, cursor, "", {}), order, filters)
