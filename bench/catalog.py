"""How lists, searches, places and facets of catalog cost as it grows.

    python -m bench.catalog [--rows 10000 1000000] [--rounds 40]

Over HTTP against catalog alone, in this process, on a PostgreSQL of its own that is filled anew for each number of
services; one request at a time, each with other values than the one before.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from statistics import median
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import psycopg
from sqlalchemy import String, column, create_engine, insert, select, table, text

from marketplace.registry import service_app, service_settings
from services.catalog.domain import Status
from services.catalog.repo.search import search_texts, search_vector
from services.catalog.repo.services import SERVICES
from shared.db.base import utcnow
from shared.db.engine import async_url
from shared.http.pagination import Cursor
from shared.http.server import Server, event_loop_factory, listen, server_config
from shared.ids import new_id
from shared.messaging.local import LocalBus, LocalHub
from shared.observability.logging import configure_logging
from tests.support.process import NoServer
from tests.support.servers import postgres_server
from tests.support.stack import provisioned_urls

ROWS = [10_000, 1_000_000]
DEPTH = 10_000
WARM_UP = 5
GOALS = "lists: the last column at most 1.5; search and near: at most 50 ms"

TRADES = {
    "plumbing": ("Жўмрак таъмири", "Ремонт смесителей", "Leaking taps repaired"),
    "electrical": ("Rozetka oʻrnatish", "Установка розеток", "Socket installation"),
    "cleaning": ("Uy tozalash", "Уборка квартир", "Flat cleaning"),
    "painting": ("Devor boʻyash", "Покраска стен", "Wall painting"),
    "moving": ("Ko‘chish xizmati", "Переезд с грузчиками", "Moving with loaders"),
    "gardening": ("Боғ парвариши", "Уход за садом", "Garden care"),
    "tutoring": ("Matematika darslari", "Уроки математики", "Mathematics lessons"),
    "computers": ("Kompyuter taʼmiri", "Ремонт компьютеров", "Computer repair"),
    "beauty": ("Soch turmaklash", "Стрижка на дому", "Haircut at home"),
    "photography": ("Toʻy suratchisi", "Свадебный фотограф", "Wedding photographer"),
}
"""Slug of a category → titles of its services."""
ABOUT = [
    "Тажрибали уста, {years} йил. Асбоблар билан бораман, кафолат бераман, нархи келишилади.",
    "Работаю {years} лет, приеду со своим инструментом, гарантия на все работы, цена договорная.",
    "{years} years of experience, own tools, every visit with a guarantee, any day of the week.",
]
CITIES = {
    "Toshkent": (41.311, 69.279),
    "Samarqand": (39.654, 66.976),
    "Buxoro": (39.775, 64.429),
    "Andijon": (40.783, 72.344),
    "Namangan": (40.998, 71.673),
    "Fargʻona": (40.389, 71.783),
    "Nukus": (42.460, 59.610),
    "Qarshi": (38.861, 65.789),
}
RARE = 100
"""Services that each of the rare words is in."""
COMMON = ["ремонт", "repair", "taʼmir", "таъмир", "гарантия", "guarantee", "кафолат", "уста", "computers", "уборка"]

COLUMNS = [
    *("id", "worker_id", "worker_name", "worker_is_active", "category_id", "title", "description", "price"),
    *("currency", "price_type", "city", "rating", "review_count", "status", "version", "created_at", "updated_at"),
    *("lat", "lng"),
]


def services(rng: random.Random, rows: int, categories: dict[str, tuple[UUID, dict[str, str]]]) -> Any:
    """Rows of COLUMNS, and behind them what `search_texts` says of each."""
    now, workers = utcnow(), [(new_id(), f"Usta {rare_word(number)}") for number in range(max(rows // 50, 1))]
    for number in range(rows):
        slug = rng.choice(list(TRADES))
        category_id, names = categories[slug]
        city, (lat, lng) = rng.choice(list(CITIES.items()))
        worker_id, worker_name = rng.choice(workers)
        title = f"{rng.choice(TRADES[slug])} {rare_word(number % max(rows // RARE, 1))}"
        description = rng.choice(ABOUT).format(years=rng.randrange(1, 30))
        price, reviews = Decimal(rng.randrange(20_000, 2_000_000, 500)), rng.randrange(0, 60)
        rating = Decimal(rng.randrange(300, 501)) / 100 if reviews else Decimal(0)
        created_at = now - timedelta(seconds=rng.randrange(31_536_000))
        texts = search_texts(title, description, worker_name, names)
        yield (
            *(new_id(), worker_id, worker_name, True, category_id, title, description, price),
            *("UZS", "fixed", city, rating, reviews, Status.ACTIVE.value, 1, created_at, created_at),
            *(lat + rng.gauss(0, 0.05), lng + rng.gauss(0, 0.07)),
            *texts.values(),
        )


def rare_word(number: int) -> str:
    """A word of letters alone, another for each number."""
    letters = "bdfgklmnprstvxz"
    word = ""
    while number or len(word) < 4:
        number, digit = divmod(number, len(letters))
        word += letters[digit] + "aeiou"[(digit + len(word)) % 5]
    return word


def fill(url: str, rows: int, seed: int = 1) -> None:
    """Put that many services into an empty catalog, by COPY; their words are spelled by the service's own rule."""
    began, rng = time.monotonic(), random.Random(seed)
    texts = list(search_texts("", "", None, {}))
    filled = table("filled", *map(column, COLUMNS), *(column(name, String) for name in texts))
    searched = select(*(filled.c[name] for name in COLUMNS), search_vector(dict(filled.c.items())))
    engine = create_engine(async_url(url))
    with engine.begin() as connection:
        postgres: Any = connection.connection.driver_connection
        found = postgres.execute("SELECT slug, id, names FROM categories").fetchall()
        categories = {slug: (id_, names) for slug, id_, names in found}
        of_services = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'services' AND indexname LIKE 'ix_%'"
        )
        indexes = postgres.execute(of_services).fetchall()
        for name, _ in indexes:
            postgres.execute(f"DROP INDEX {name}")
        copied, nothing = ", ".join(COLUMNS), ", ".join(f"NULL::text AS {name}" for name in texts)
        postgres.execute(f"CREATE TEMPORARY TABLE filled AS SELECT {copied}, {nothing} FROM services LIMIT 0")
        with postgres.cursor().copy(f"COPY filled ({copied}, {', '.join(texts)}) FROM STDIN") as copy:
            for number, row in enumerate(services(rng, rows, categories), 1):
                copy.write_row(row)
                if number % 100_000 == 0:
                    say(f"{number} of {rows} services copied, {time.monotonic() - began:.0f} s")
        connection.execute(insert(SERVICES).from_select([*COLUMNS, "search"], searched))
        say(f"their words are there, {time.monotonic() - began:.0f} s")
        postgres.execute("SET maintenance_work_mem = '512MB'")
        for name, definition in indexes:
            postgres.execute(definition)
            say(f"{name}, {time.monotonic() - began:.0f} s")
        postgres.execute("UPDATE categories SET indexed_names = names")
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    say(f"{rows} services filled in {time.monotonic() - began:.0f} s")


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def requests(rng: random.Random, rows: int, deep: dict[str, str]) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name of what is measured → a query with values drawn anew."""

    def near() -> str:
        lat, lng = rng.choice(list(CITIES.values()))
        return f"{lat + rng.gauss(0, 0.03):.5f},{lng + rng.gauss(0, 0.04):.5f}"

    def rare() -> str:
        return rare_word(rng.randrange(max(rows // RARE, 1)))

    return {
        "list, first page": dict,
        **{
            f"list by {ordering}, at {DEPTH:,}": partial(dict, ordering=ordering, cursor=deep[ordering])
            for ordering in deep
        },
        "list of a category": lambda: {"category": rng.choice(list(TRADES))},
        "list of a city by price": lambda: {"city": rng.choice(list(CITIES)), "ordering": "price"},
        "search, rare word": lambda: {"search": rare()},
        "search, common word": lambda: {"search": rng.choice(COMMON)},
        "search, word being typed": lambda: {"search": rng.choice(COMMON)[: rng.randrange(2, 5)]},
        "search, common words": lambda: {"search": " ".join(rng.sample(COMMON, 2))},
        "search, common word by price": lambda: {"search": rng.choice(COMMON), "ordering": "price"},
        "near, nearest first": lambda: {"near": near(), "ordering": "distance"},
        "near, newest first": lambda: {"near": near()},
        "near, common word": lambda: {"near": near(), "search": rng.choice(COMMON), "ordering": "distance"},
        "near, rare word": lambda: {"near": near(), "search": rare(), "ordering": "distance"},
        "near, common word by relevance": lambda: {"near": near(), "search": rng.choice(COMMON)},
        "facets": lambda: {"facets": True},
        "facets of a category": lambda: {"facets": True, "category": rng.choice(list(TRADES))},
        "facets of a rare word": lambda: {"facets": True, "search": rare()},
        "facets of a common word": lambda: {"facets": True, "search": rng.choice(COMMON)},
        "facets near": lambda: {"facets": True, "near": near()},
    }


@asynccontextmanager
async def catalog(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of catalog, which serves in this process."""
    sock = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings: dict[str, Any] = {"env": "development", "rabbitmq_url": None, "rate_limit_scale": 1_000_000}
    own = service_settings("catalog", **settings, database_url=database_url, catalog_url=address)
    server = Server(server_config(service_app("catalog", own, LocalBus(LocalHub(), "catalog"))))
    running = asyncio.create_task(server.serve([sock]))
    await server.started_up(running)
    try:
        async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


async def get(http: httpx.AsyncClient, query: dict[str, Any]) -> float:
    """Milliseconds of one request."""
    path = "/api/services/facets/" if query.get("facets") else "/api/services/"
    address = f"{path}?{urlencode({name: value for name, value in query.items() if name != 'facets'})}"
    began = time.perf_counter()
    answer = await http.get(address)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        sys.exit(f"bench: {address} was answered {answer.status_code}: {answer.text[:300]}")
    return took


def cursors_at_depth(url: str) -> dict[str, str]:
    """Ordering → the cursor of the page that begins `DEPTH` services into its list, or halfway through a short one."""
    found = {}
    with psycopg.connect(url) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM services").fetchone() or (0,)
        for ordering in ("-created_at", "price", "-rating"):
            field, way = ordering.removeprefix("-"), "DESC" if ordering.startswith("-") else "ASC"
            at = connection.execute(
                f"SELECT {field}, id FROM services ORDER BY {field} {way}, id {way} OFFSET %s LIMIT 1",
                [min(DEPTH, rows // 2)],
            ).fetchone()
            assert at
            value = at[0].isoformat() if field == "created_at" else str(at[0])
            found[ordering] = Cursor([value, str(at[1])]).encode()
    return found


async def measure(database_url: str, rows: int, rounds: int) -> dict[str, float]:
    """The median milliseconds of each request."""
    rng = random.Random(2)
    asked = requests(rng, rows, cursors_at_depth(database_url))
    async with catalog(database_url) as http:
        took = {}
        for name, draw in asked.items():
            each = [await get(http, draw()) for _ in range(WARM_UP + rounds)]
            took[name] = median(each[WARM_UP:])
            say(f"{name}: {took[name]:.1f} ms")
    return took


def filled_and_measured(rows: int, rounds: int) -> dict[str, float]:
    with postgres_server(own_process=True) as postgres:
        url = provisioned_urls(postgres.admin_url)["catalog"]
        fill(url, rows)
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            return runner.run(measure(url, rows, rounds))


def print_table(sizes: Sequence[int], took: Sequence[dict[str, float]]) -> None:
    print(f"| p50, ms | {' | '.join(f'{rows:,} services' for rows in sizes)} | last / first |")
    print("|---|" + "--:|" * (len(sizes) + 1))
    for name in took[0]:
        each = [of_size[name] for of_size in took]
        print(f"| {name} | {' | '.join(f'{ms:.1f}' for ms in each)} | {each[-1] / each[0]:.2f} |")
    print(f"\n{GOALS}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    configure_logging("ERROR", "console")
    try:
        took = [filled_and_measured(rows, args.rounds) for rows in args.rows]
    except NoServer as error:
        sys.exit(f"bench: {error}")
    print_table(args.rows, took)


if __name__ == "__main__":
    main()
