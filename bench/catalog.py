"""What grows in catalog: a million services, and the lists, searches, places and facets of them."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache, partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import psycopg
from sqlalchemy import String, column, create_engine, insert, select, table

from bench.filling import Report, bare, copied, in_blocks, quiet, tidied
from bench.measuring import DEPTH, Asked, Get, Goal, Requests
from services.catalog.domain import Status
from services.catalog.repo.search import Names, search_texts, search_vector
from services.catalog.repo.services import SERVICES
from shared.db.base import utcnow
from shared.db.engine import async_url
from shared.http.pagination import Cursor
from shared.ids import new_id

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

PART = 20_000
"""Services that are copied before their words are made."""
COLUMNS = [
    *("id", "worker_id", "worker_name", "worker_is_active", "category_id", "title", "description", "price"),
    *("currency", "price_type", "city", "rating", "review_count", "status", "version", "created_at", "updated_at"),
    *("lat", "lng"),
]


def services(rng: random.Random, rows: int, categories: dict[str, tuple[Any, Names]]) -> Iterator[str]:
    """A line of COLUMNS each, and behind them what `search_texts` says of it."""
    now, workers = utcnow(), [(new_id(), f"Usta {rare_word(number)}") for number in range(max(rows // 50, 1))]
    slugs, cities = list(TRADES), list(CITIES.items())
    for number in range(rows):
        slug = rng.choice(slugs)
        category_id, names = categories[slug]
        city, (lat, lng) = rng.choice(cities)
        worker_id, worker_name = rng.choice(workers)
        title = f"{rng.choice(TRADES[slug])} {rare_word(number % max(rows // RARE, 1))}"
        description = rng.choice(ABOUT).format(years=rng.randrange(1, 30))
        price, reviews = rng.randrange(20_000, 2_000_000, 500), rng.randrange(0, 60)
        rating = rng.randrange(300, 501) / 100 if reviews else 0
        created_at = now - timedelta(seconds=rng.randrange(31_536_000))
        about = _texts(worker_name=worker_name, category=tuple(names.items()))
        texts = _texts(title=title) | about | _texts(description=description)
        yield copied(
            (
                *(new_id(), worker_id, worker_name, True, category_id, title, description, price),
                *("UZS", "fixed", city, rating, reviews, Status.ACTIVE.value, 1, created_at, created_at),
                *(lat + rng.gauss(0, 0.05), lng + rng.gauss(0, 0.07)),
                *(texts[name] for name in TEXTS),
            )
        )


TEXTS = list(search_texts("", "", None, {}))


@lru_cache(maxsize=100_000)
def _texts(
    title: str = "", description: str = "", worker_name: str | None = None, category: tuple[tuple[str, str], ...] = ()
) -> dict[str, str]:
    """What the service's own rule says of a part: of many services it is the same."""
    return {name: text for name, text in search_texts(title, description, worker_name, dict(category)).items() if text}


def rare_word(number: int) -> str:
    """A word of letters alone, another for each number."""
    letters = "bdfgklmnprstvxz"
    word = ""
    while number or len(word) < 4:
        number, digit = divmod(number, len(letters))
        word += letters[digit] + "aeiou"[(digit + len(word)) % 5]
    return word


def fill(url: str, rows: int, report: Report = quiet, seed: int = 1) -> None:
    """Put that many services into an empty catalog; their words are spelled by the service's own rule."""
    filled = table("filled", *map(column, COLUMNS), *(column(name, String) for name in TEXTS))
    searched = select(*(filled.c[name] for name in COLUMNS), search_vector(dict(filled.c.items())))
    engine = create_engine(async_url(url))
    with engine.connect() as connection:
        postgres: Any = connection.connection.driver_connection
        found = postgres.execute("SELECT slug, id, names FROM categories").fetchall()
        lines = services(random.Random(seed), rows, {slug: (id_, names) for slug, id_, names in found})
        with bare(postgres, ["services"], report):
            names, nothing = ", ".join(COLUMNS), ", ".join(f"NULL::text AS {name}" for name in TEXTS)
            postgres.execute(f"CREATE TEMPORARY TABLE filled AS SELECT {names}, {nothing} FROM services LIMIT 0")
            # Words are made of a part of them at a time, so that one can see how far it is.
            for done in range(0, rows, PART):
                with postgres.cursor().copy(f"COPY filled ({names}, {', '.join(TEXTS)}) FROM STDIN") as copy:
                    for block, _ in in_blocks(islice(lines, PART)):
                        copy.write(block)
                connection.execute(insert(SERVICES).from_select([*COLUMNS, "search"], searched))
                postgres.execute("TRUNCATE filled")
                report("services", min(done + PART, rows), rows)
        postgres.execute("UPDATE categories SET indexed_names = names")
        postgres.commit()
    engine.dispose()
    tidied(url, report)


def requests(url: str, seed: int = 2) -> Requests:
    rng, deep = random.Random(seed), cursors_at_depth(url)
    with psycopg.connect(url) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM services").fetchone() or (0,)

    def near() -> str:
        lat, lng = rng.choice(list(CITIES.values()))
        return f"{lat + rng.gauss(0, 0.03):.5f},{lng + rng.gauss(0, 0.04):.5f}"

    def rare() -> str:
        return rare_word(rng.randrange(max(rows // RARE, 1)))

    def common() -> str:
        return rng.choice(COMMON)

    def category() -> str:
        return rng.choice(list(TRADES))

    def asked(draw: Callable[[], dict[str, str]], goal: Goal | None, path: str = "") -> Asked:
        return Asked(lambda: Get(f"/api/services/{path}?{urlencode(draw())}"), goal)

    lists: dict[str, Callable[[], dict[str, str]]] = {
        "list, first page": dict,
        **{
            f"list by {ordering}, at {DEPTH:,}": partial(dict, ordering=ordering, cursor=deep[ordering])
            for ordering in deep
        },
        "list of a category": lambda: {"category": category()},
        "list of a city by price": lambda: {"city": rng.choice(list(CITIES)), "ordering": "price"},
    }
    found: dict[str, Callable[[], dict[str, str]]] = {
        "search, rare word": lambda: {"search": rare()},
        "search, common word": lambda: {"search": common()},
        "search, word being typed": lambda: {"search": common()[: rng.randrange(2, 5)]},
        "search, common words": lambda: {"search": " ".join(rng.sample(COMMON, 2))},
        "search, common word by price": lambda: {"search": common(), "ordering": "price"},
        "near, nearest first": lambda: {"near": near(), "ordering": "distance"},
        "near, newest first": lambda: {"near": near()},
        "near, common word": lambda: {"near": near(), "search": common(), "ordering": "distance"},
        "near, rare word": lambda: {"near": near(), "search": rare(), "ordering": "distance"},
        "near, common word by relevance": lambda: {"near": near(), "search": common()},
    }
    counted: dict[str, Callable[[], dict[str, str]]] = {
        "facets": dict,
        "facets of a category": lambda: {"category": category()},
        "facets of a rare word": lambda: {"search": rare()},
        "facets of a common word": lambda: {"search": common()},
        "facets near": lambda: {"near": near()},
    }
    return {
        **{name: asked(draw, Goal.GROWTH) for name, draw in lists.items()},
        **{name: asked(draw, Goal.ANSWER) for name, draw in found.items()},
        **{name: asked(draw, None, "facets/") for name, draw in counted.items()},
        "categories": asked(dict, None, "categories/"),
    }


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
