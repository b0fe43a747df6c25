"""What searches go by: the words of a service, and the query that finds them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, String, bindparam, func, literal_column, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.catalog.models import UNINDEXED, Base, Category, Service
from services.catalog.spelling import for_stems, in_latin, words
from shared.db import Session

SERVICES = Base.metadata.tables["services"]
BATCH = 500
"""Services that are written anew in one statement."""
MOST_WORDS = 10
"""Of a search; the rest is not looked for."""

Names = Mapping[str, str]
"""Of a category, by language."""


def search_texts(title: str, description: str, worker_name: str | None, category: Names) -> dict[str, str]:
    """What `search_vector` is made of: words in their own script for stems, and in Latin letters as they are."""
    about = " ".join([*category.values(), worker_name or ""])
    texts = {}
    for name, text in (("title", title), ("about", about), ("description", description)):
        found = words(text)
        texts[f"{name}_stems"] = " ".join(map(for_stems, found))
        texts[f"{name}_latin"] = " ".join(map(in_latin, found))
    return texts


def search_vector(texts: Mapping[str, Any]) -> ColumnElement[Any]:
    """The value of `Service.search`, of `search_texts` or of columns that hold them.

    A word counts most in the title, and least in the description, where it may stand ever so often.
    """
    title, about, description = (_either(texts, part) for part in ("title", "about", "description"))
    weighty = func.tsvector_concat(func.setweight(title, _A), func.setweight(about, _B))
    vector: ColumnElement[Any] = func.tsvector_concat(weighty, func.strip(description))
    return vector


_A: ColumnElement[Any] = literal_column("'A'")
_B: ColumnElement[Any] = literal_column("'B'")


def _either(texts: Mapping[str, Any], part: str) -> ColumnElement[Any]:
    # 'russian' takes words of ASCII letters for English ones, and stems them as such.
    as_they_are = func.to_tsvector("simple", texts[f"{part}_latin"])
    return func.tsvector_concat(as_they_are, func.to_tsvector("russian", texts[f"{part}_stems"]))


class Term(NamedTuple):
    """A word of a search."""

    word: str
    latin: str


@lru_cache(maxsize=1024)
def search_terms(text: str) -> tuple[Term, ...]:
    """The words of `text` that are looked for: a sign that stands for no sound leaves nothing in Latin letters."""
    return tuple(Term(word, latin) for word in words(text)[:MOST_WORDS] if (latin := in_latin(word)))


@lru_cache
def search_query(number: int) -> ColumnElement[Any]:
    """The query of so many words, each in either script or as another form of it; they are `search_values`."""
    return reduce(func.tsquery_and, map(_has_word, range(number)))


def search_values(terms: Sequence[Term], *, prefixes: bool) -> dict[str, str]:
    """Of the `search_query` of these words; with `prefixes`, each may also be the beginning of a word."""
    values: dict[str, str] = {}
    for number, (word, latin) in enumerate(terms):
        as_it_is, forms = _value_names(number)
        values |= {as_it_is: f"'{latin}':*" if prefixes else f"'{latin}'", forms: f"'{for_stems(word)}'"}
    return values


def _has_word(number: int) -> ColumnElement[Any]:
    as_it_is, forms = (bindparam(name, type_=String) for name in _value_names(number))
    return func.tsquery_or(func.to_tsquery("simple", as_it_is), func.to_tsquery("russian", forms))


def _value_names(number: int) -> tuple[str, str]:
    return f"word_{number}_latin", f"word_{number}_stems"


async def hold_names(session: Session, category_ids: Iterable[UUID]) -> dict[UUID, Names]:
    """The categories' names; until the transaction ends who would change them waits, and then finds what it wrote."""
    held = select(Category).where(col(Category.id).in_(category_ids)).order_by(col(Category.id))
    rows = await session.exec(held.with_for_update(read=True).execution_options(populate_existing=True))
    return {row.id: row.names for row in rows.all()}


async def index_services_of(session: Session, worker_id: UUID) -> None:
    """The same for all services of the worker."""
    after: UUID | None = None
    while ids := await _next_ids(session, after, col(Service.worker_id) == worker_id):
        await index_services(session, ids)
        after = ids[-1]


async def index_category(session: Session, category_id: UUID, after: UUID | None) -> UUID | None:
    """The same for the next batch of a category's services behind `after`; returns the last, None behind the end."""
    ids = await _next_ids(session, after, col(Service.category_id) == category_id)
    await index_services(session, ids)
    return ids[-1] if ids else None


async def index_unindexed(session: Session) -> int:
    """The same for a batch of services that no search finds yet; returns how many there were."""
    batch = select(Service.id).where(UNINDEXED).limit(BATCH).with_for_update(skip_locked=True)
    ids = (await session.exec(batch)).all()
    await index_services(session, ids)
    return len(ids)


async def renamed_categories(session: Session) -> Sequence[Category]:
    """Those whose services are found by other names than they have."""
    renamed = col(Category.names).is_distinct_from(col(Category.indexed_names))
    return (await session.exec(select(Category).where(renamed))).all()


async def note_indexed(session: Session, category_id: UUID, names: Names) -> None:
    """All services of the category are found by `names`."""
    noted = update(Category).where(col(Category.id) == category_id).values(indexed_names=names)
    await session.exec(noted)


async def _next_ids(session: Session, after: UUID | None, which: ColumnElement[bool]) -> Sequence[UUID]:
    behind = [col(Service.id) > after] if after else []
    batch = select(Service.id).where(which, *behind).order_by(col(Service.id)).limit(BATCH)
    return (await session.exec(batch)).all()


_WORDS = [SERVICES.c[name] for name in ("id", "category_id", "title", "description", "worker_name")]
_SERVICE_ID = "service_id"


async def index_services(session: Session, ids: Sequence[UUID]) -> None:
    """Let searches find these services by the words that they have now."""
    if not ids:
        return
    connection = await session.connection()
    held = rows_of(*_WORDS).where(SERVICES.c.id.in_(ids)).order_by(SERVICES.c.id).with_for_update()
    rows = (await connection.execute(held)).mappings().all()
    names = await hold_names(session, {row["category_id"] for row in rows})
    texts = [{_SERVICE_ID: row["id"]} | _texts_of(row, names) for row in rows]
    vector = search_vector({name: bindparam(name) for name in texts[0] if name != _SERVICE_ID})
    written = update(SERVICES).where(SERVICES.c.id == bindparam(_SERVICE_ID)).values(search=vector)
    await connection.execute(written, texts)


def _texts_of(row: RowMapping, names: Mapping[UUID, Names]) -> dict[str, str]:
    return search_texts(row["title"], row["description"], row["worker_name"], names[row["category_id"]])
