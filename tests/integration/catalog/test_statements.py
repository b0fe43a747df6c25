"""Lists by statements that are kept for all requests of one form hold what a plain model of the filters says."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import create_engine, insert

from services.catalog.domain import Order
from services.catalog.repo import filters as filters_repo
from services.catalog.repo import lists
from services.catalog.repo.filters import Filters
from services.catalog.repo.search import search_texts, search_vector
from services.catalog.repo.services import SERVICES
from services.catalog.repo.statistics import Statistics
from shared.db import Database
from shared.db.engine import async_url
from shared.http.pagination import Cursor, PageRequest
from shared.ids import new_id
from tests.support.plans import filled_database, opened
from tests.support.postgres import PostgresServer
from tests.support.statements import sent

ROWS = 400
WORKERS = [new_id() for _ in range(3)]
CITIES = ["Toshkent", "TOSHKENT", "Самарқанд", None]
PRICES = [Decimal(price) for price in ("10.00", "20.00", "20.50", "100.00")]
WORDS = ["harp", "violin", "drum", "oboe", "usta"]
"""None is another's beginning or form."""
TYPED = {word: word for word in [*WORDS, "vio", "dru"]} | {"уста": "usta"}
"""As they are searched for → the letters that a word that is found begins with."""
ORDERS = [order for order in Order if order != Order.NEAREST]

Row = dict[str, Any]


def fill(url: str, rows: int) -> None:
    rng = random.Random(1)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    with psycopg.connect(url) as connection:
        categories = [id_ for (id_,) in connection.execute("SELECT id FROM categories ORDER BY id LIMIT 4")]
    engine = create_engine(async_url(url))
    with engine.begin() as made:
        for number in range(rows):
            title, about = (" ".join(rng.sample(WORDS, rng.randrange(1, 4))) for _ in range(2))
            at = begin + timedelta(hours=rng.randrange(50))
            values = {
                "id": new_id(),
                "worker_id": rng.choice(WORKERS),
                "worker_is_active": number % 20 != 1,
                "category_id": rng.choice(categories),
                "title": title,
                "description": about,
                "price": rng.choice(PRICES),
                "currency": "UZS",
                "price_type": "fixed",
                "city": rng.choice(CITIES),
                "rating": rng.choice([Decimal(rating) for rating in ("0.00", "3.50", "4.80", "5.00")]),
                "review_count": rng.randrange(0, 60, 20),
                "status": "hidden" if number % 20 == 2 else "active",
                "version": 1,
                "created_at": at,
                "updated_at": at,
                "search": search_vector(search_texts(title, about, None, {})),
            }
            made.execute(insert(SERVICES).values(values))
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE services")


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[str]:
    with filled_database(postgres, "catalog", fill, ROWS) as url:
        yield url


@pytest.fixture
async def database(filled: str) -> AsyncIterator[Database]:
    async with opened("catalog", filled, statistics=Statistics()) as database:
        yield database


class Model:
    """What lists hold, by rules that have nothing to do with how statements are made."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, row_factory=dict_row, autocommit=True)
        listed = self._connection.execute("SELECT * FROM services WHERE status = 'active' AND worker_is_active")
        self.rows: list[Row] = listed.fetchall()
        self.categories: list[UUID] = sorted({row["category_id"] for row in self.rows})

    def ids(self, filters: Filters, order: Order) -> list[UUID]:
        found = [row for row in self.rows if _fits(row, filters)]
        if order == Order.RELEVANCE:
            ranks = self._ranks(filters)
            best = sorted(found, key=lambda row: (row["score"], row["id"]), reverse=True)[: lists.RANKED]
            found = [row | {"relevance": ranks[row["id"]]} for row in best]
        return [row["id"] for row in sorted(found, key=partial(_key, order), reverse=order.descending)]

    def _ranks(self, filters: Filters) -> dict[UUID, int]:
        one = "(to_tsquery('simple', %s) || to_tsquery('russian', %s))"
        words = filters.search.split()
        ends = "" if filters.whole_words else ":*"
        values = [value for word in words for value in (f"{TYPED[word]}{ends}", word)]
        ranked = f"SELECT id, round(ts_rank(search, {' && '.join([one] * len(words))}) * 1000000)::int AS rank"
        return {row["id"]: row["rank"] for row in self._connection.execute(f"{ranked} FROM services", values)}


def _fits(row: Row, filters: Filters) -> bool:
    words = f"{row['title']} {row['description']}".split()
    return (
        (filters.categories is None or row["category_id"] in filters.categories)
        and (filters.worker_id is None or row["worker_id"] == filters.worker_id)
        and (filters.city is None or (row["city"] or "").lower() == filters.city.lower())
        and (filters.min_price is None or row["price"] >= filters.min_price)
        and (filters.max_price is None or row["price"] <= filters.max_price)
        and all(
            any(word == TYPED[typed] if filters.whole_words else word.startswith(TYPED[typed]) for word in words)
            for typed in filters.search.split()
        )
    )


def _key(order: Order, row: Row) -> Sequence[Any]:
    return [row[name] for name in order.columns]


def drawn(rng: random.Random, model: Model) -> tuple[Filters, Order]:
    """Any filters, with any ordering that there is for them."""
    typed = rng.sample(list(TYPED), rng.choice([0, 0, 1, 1, 2]))
    order = rng.choice(ORDERS)
    if order == Order.RELEVANCE:  # by whole words, where there are enough: they are to be the same
        typed = rng.sample(WORDS, rng.choice([1, 1, 2]))
    either = partial(rng.choice, [True, False, False, False])
    filters = Filters(
        categories=tuple(rng.sample(model.categories, rng.choice([0, 1, 1, 2, 3]))) if either() else None,
        worker_id=rng.choice(WORKERS) if either() else None,
        city=rng.choice(["toshkent", "Toshkent", "САМАРҚАНД", "Buxoro"]) if either() else None,
        min_price=rng.choice(PRICES) if either() else None,
        max_price=rng.choice(PRICES) if either() else None,
        search=" ".join(typed),
        whole_words=either(),
    )
    return filters, order


@pytest.mark.parametrize(("many", "ranked"), [(-1, 10), (2, 1000), (0.02, 1000)], ids=["walked", "collected", "chosen"])
async def test_lists_of_any_filters_in_any_order_are_what_the_filters_say(
    database: Database, filled: str, monkeypatch: pytest.MonkeyPatch, many: float, ranked: int
) -> None:
    for name, value in (("MANY", many), ("RANKED", ranked), ("AMPLE", 3 * ranked)):
        monkeypatch.setattr(lists, name, value)
    rng, model, limit = random.Random(ranked), Model(filled), 4
    filters_repo._put_together.cache_clear()

    for number in range(120):
        filters, order = drawn(rng, model)
        expected = model.ids(filters, order)

        async def page(cursor: Cursor | None, filters: Filters = filters, order: Order = order) -> Row:
            asked = PageRequest(limit, cursor, "", {})
            async with database.reading() as session:
                rows = await lists.services(session, filters, order, asked)
            return asked.page(rows, key=partial(_key, order))

        first = await page(None)
        assert _ids(first) == expected[:limit], (number, filters, order)
        assert (first["next"] is not None) == (len(expected) > limit)
        if first["next"]:
            second = await page(_cursor(first["next"]))
            assert _ids(second) == expected[limit : 2 * limit], (number, filters, order)
            again = await page(_cursor(second["previous"]))
            assert _ids(again) == expected[:limit], (number, filters, order)

    kept = filters_repo._put_together.cache_info()
    assert kept.hits > 100, "too few of the same form"


def _ids(page: Row) -> list[UUID]:
    return [UUID(row["id"]) for row in page["results"]]


def _cursor(address: str) -> Cursor:
    return Cursor.decode(address.partition("cursor=")[2])


async def test_a_search_is_one_statement_also_where_nothing_is_reviewed_yet(postgres: PostgresServer) -> None:
    """Where all have the same score, there are no bounds between scores for PostgreSQL to tell."""
    with filled_database(postgres, "catalog", fill, ROWS // 2) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE services SET rating = 0, review_count = 0")
            connection.execute("ANALYZE services")
        async with opened("catalog", url, statistics=Statistics()) as database:

            async def search() -> Sequence[Any]:
                async with database.reading() as session:
                    page = PageRequest(20, None, "", {})
                    return await lists.services(session, Filters(search="harp"), Order.RELEVANCE, page)

            found = await search()
            with sent() as statements:
                assert await search() == found
    assert len(found) == 21
    assert len(statements) == 1
