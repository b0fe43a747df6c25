"""Pages of lists of services, as rows: a list is read far too often for objects.

A page is short and a list may be long, so how to come to it matters. Where many services are left by the filters, it
soon fills up on a walk along the index of the ordering; where few are, they are found by the filters' indexes, and
sorted. The planner would choose between these by itself, if it knew how many are left: see `Filters.predictable`. So
the walk has an end here, and whether it filled the page decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Integer, RowMapping, Select, cast, func, select

from services.catalog.domain import Order
from services.catalog.repo.filters import Filters, expected
from services.catalog.repo.services import LISTED, SERVICES, SHOWN, Columns, shown
from services.catalog.repo.statistics import Statistics
from shared.db import Session
from shared.db.engine import planned
from shared.db.geo import Walk, map_within, metres_between
from shared.http.pagination import Ordering, PageRequest, parse_decimal, parse_id, parse_seq, parse_time

RANKED = 1000
"""Of what a search finds, the best by `score`, which are ranked by how well they match."""
AMPLE = 3 * RANKED
"""How many are asked for where `RANKED` are to be found, by an expectation that may be too high."""
WALKED = 20_000
"""Services that a walk may pass in search of those for a page: some ten milliseconds."""
MANY = 0.02
"""The share of all services that is worth a walk: surely more than the planner takes a rare word for."""
INHABITED = 0.0005
"""The same of a place. The planner takes it for emptier than it is: it does not know that latitude and longitude go
together where people live."""

WEIGHED = [
    SERVICES.c[name] for name in ("id", "score", "search", "category_id", "worker_id", "city", "price", "lat", "lng")
]
"""What is ranked by, and what filters look at."""

PARSERS: Mapping[str, Callable[[str], Any]] = {
    "created_at": parse_time,
    "price": parse_decimal,
    "rating": parse_decimal,
    "score": parse_decimal,
    "metres": parse_seq,
    "relevance": parse_seq,
    "id": parse_id,
}

Rows = Sequence[RowMapping]

LIST = select(*SHOWN, SERVICES.c.score.label("score")).where(*LISTED)
"""Made once: to put its columns together takes longer than to read a page of them."""


async def services(session: Session, filters: Filters, order: Order, page: PageRequest) -> Rows:
    """One page of what can be ordered; where `near` is asked for, each says how many `metres` it is away."""
    if filters.predictable:
        found = LIST.where(*filters.apart_from_place())
        return await _rows(session, _page(found, order, page))
    total = await _statistics(session).total(session)
    if order == Order.NEAREST:
        return await _nearest(session, filters, page, total)
    if order == Order.RELEVANCE:
        return await _most_relevant(session, filters, page, total)
    if await _many(session, filters, total):
        rows = await _rows(session, _walk(filters, order, page))
        if _needed(rows) > page.limit:
            return rows
    return await _rows(session, _collected(filters, order, page))


async def _most_relevant(session: Session, filters: Filters, page: PageRequest, total: int) -> Rows:
    """The page of the `RANKED` best by `score`. Of many that the filters leave only those are fetched that may be
    among these: by a walk where it is sure to meet so many, else by a lowest score, which is told by an index as the
    words are, before any row is fetched. Beginnings of words take several times as long to find as whole words, which
    match better: where there are enough of these, nothing else is looked for."""
    total = max(total, 1)  # not known before the first ANALYZE
    for condition in filters.one_by_one():
        if await expected(session, condition) < total * MANY:
            return await _rows(session, _collected(filters, Order.RELEVANCE, page))
    # Of what many fulfil one by one, many may fulfil all: the planner takes them for independent.
    left: float = max(await expected(session, *filters.apart_from_place()), total * MANY)
    in_place = min([await expected(session, axis) / total for axis in filters.axes()], default=1)
    left *= in_place
    walked = min(int(AMPLE * total / (left + 1)), WALKED)
    if left * walked >= 1.5 * RANKED * total:
        rows = await _rows(session, _walk(filters, Order.RELEVANCE, page, walked))
        if _needed(rows) == RANKED:
            return rows
        left = _needed(rows) * total / walked
    whole = replace(filters, whole_words=True)
    of_whole = min(left, in_place * await expected(session, *whole.apart_from_place()))
    if of_whole > 2 * AMPLE:
        rows, left = await _best_by_score(session, whole, page, of_whole)
        if rows:
            return rows
    rows, _ = await _best_by_score(session, filters, page, left)
    return rows or await _rows(session, _collected(filters, Order.RELEVANCE, page))


async def _best_by_score(session: Session, filters: Filters, page: PageRequest, left: float) -> tuple[Rows, float]:
    """The page of the `RANKED` best, or nothing where there are not so many or it is not worth it; and of how many the
    filters seem to leave, by what was found, instead of `left`."""
    statistics = _statistics(session)
    while left > 2 * AMPLE and (lowest := await statistics.score_of_best(session, AMPLE / left)) is not None:
        rows = await _rows(session, _collected(filters, Order.RELEVANCE, page, SERVICES.c.score >= lowest))
        if _needed(rows) == RANKED:
            return rows, left
        left = min(left / 2, _needed(rows) * left / AMPLE)
    return [], left


def _statistics(session: Session) -> Statistics:
    statistics: Statistics = session.info["statistics"]
    return statistics


def _needed(rows: Rows) -> int:
    return rows[0]["needed"] if rows else 0


async def _many(session: Session, filters: Filters, total: int) -> bool:
    """Whether the filters leave so many that it is worth a walk to look for a page of them."""
    apart, place = filters.apart_from_place(), filters.place()
    if apart and await expected(session, *apart) < total * MANY:
        return False
    return not place or await expected(session, place[0]) >= total * INHABITED


async def _rows(session: Session, statement: Select[Any]) -> Rows:
    connection = await session.connection()
    rows: Rows = (await connection.execute(statement)).mappings().all()
    return rows


def _shown(filters: Filters, of: Columns = SERVICES.c) -> list[ColumnElement[Any]]:
    found = [*(SHOWN if of is SERVICES.c else shown(of)), of.score.label("score")]
    if filters.near:
        found.append(metres_between(filters.near, of.lat, of.lng).label("metres"))
    return found


def _page(found: Select[Any], order: Order, page: PageRequest) -> Select[Any]:
    columns = [found.selected_columns[name] for name in order.columns]
    ordering = Ordering(columns, [PARSERS[name] for name in order.columns], order.descending)
    paged: Select[Any] = page.apply(found, ordering)
    return paged


def _walk(filters: Filters, order: Order, page: PageRequest, walked: int = WALKED) -> Select[Any]:
    """The page out of the first `walked` services of the ordering, behind the cursor; `needed` says how many there
    are for it."""
    if order == Order.RELEVANCE:
        way = _best(select(*WEIGHED).where(*LISTED)).limit(walked).subquery("way")
        return _ranked(select(*way.c).where(*filters.all(way.c)), filters, page)
    way = _page(select(*SERVICES.c).where(*LISTED), order, page).limit(walked).subquery("way")
    page_of_way = _page(select(*_shown(filters, way.c)).where(*filters.all(way.c)), order, page).subquery("page")
    return select(*_labelled(page_of_way), func.count().over().label("needed"))


def _collected(filters: Filters, order: Order, page: PageRequest, *more: ColumnElement[bool]) -> Select[Any]:
    """The page out of all that the filters and `more` leave, without a walk: behind OFFSET, nobody knows what it is
    for."""
    if order == Order.RELEVANCE:
        left = select(*WEIGHED).where(*LISTED, *filters.all(), *more).offset(0).subquery("left")
        return _ranked(select(*left.c), filters, page)
    left = select(*SERVICES.c).where(*LISTED, *filters.all()).offset(0).subquery("left")
    return _page(select(*_shown(filters, left.c)), order, page)


def _best(found: Select[Any], of: Columns = SERVICES.c) -> Select[Any]:
    return found.order_by(of.score.desc(), of.id.desc())


def _ranked(found: Select[Any], filters: Filters, page: PageRequest) -> Select[Any]:
    """The page of the `RANKED` best of what is found; what is shown of a service is made for the page alone."""
    best = _best(found, found.selected_columns).limit(RANKED).subquery("best")
    rank = cast(func.round(func.ts_rank(best.c.search, filters.query) * 1_000_000), Integer)
    needed = func.count().over().label("needed")
    ranked = select(best.c.id, best.c.score, rank.label("relevance"), needed).subquery("ranked")
    of = _page(select(*ranked.c), Order.RELEVANCE, page).subquery("page").c
    backwards = page.cursor is not None and page.cursor.backwards
    again = [of[name].asc() if backwards else of[name].desc() for name in Order.RELEVANCE.columns]
    shown_too = [of.relevance.label("relevance"), of.needed.label("needed")]
    return select(*_shown(filters), *shown_too).where(SERVICES.c.id == of.id).order_by(*again)


def _labelled(of: Any) -> list[ColumnElement[Any]]:
    """A subquery's columns, by names that are plain strings, as orjson wants them."""
    return [column.label(name) for name, column in of.columns.items()]


async def _nearest(session: Session, filters: Filters, page: PageRequest, total: int) -> Rows:
    assert filters.near  # noqa: S101
    walk = Walk(filters.near, filters.metres)
    apart, backwards = filters.apart_from_place(), page.cursor is not None and page.cursor.backwards
    if backwards or not walk.possible or (apart and await expected(session, *apart) < total * MANY):
        return await _rows(session, _collected(filters, Order.NEAREST, page))
    away = walk.away(SERVICES.c.lat, SERVICES.c.lng)
    found = select(*_shown(filters), away.label("away"))
    in_reach = map_within(filters.metres, filters.near, SERVICES.c.lat, SERVICES.c.lng)
    found = found.where(*LISTED, SERVICES.c.lat.is_not(None), in_reach, *filters.all())
    outwards = _page(found, Order.NEAREST, page).order_by(None).order_by(away)
    steps = 4 * (page.limit + 1)
    while True:
        # The planner, which does not know how many are in reach, would rather sort them all.
        async with planned(session, enable_sort="off"):
            rows = await _rows(session, outwards.limit(steps))
        nearest = sorted(rows, key=lambda row: (row["metres"], row["id"]))[: page.limit + 1]
        # As the map is no globe, it goes on until none can follow that is nearer than the last.
        if len(rows) < steps or rows[-1]["away"] > walk.reach(nearest[-1]["metres"] + 0.5):
            return nearest
        steps *= 4
