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
from services.catalog.repo.filters import Filters, expected, reach, share_in_place
from services.catalog.repo.services import LISTED, SERVICES, SHOWN, Columns
from services.catalog.repo.statistics import statistics_of
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

WEIGHED = select(
    *(SERVICES.c[name] for name in ("id", "score", "search", "category_id", "worker_id", "city", "price", "lat", "lng"))
).where(*LISTED)
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

LIST = select(*SHOWN).where(*LISTED)


async def services(session: Session, filters: Filters, order: Order, page: PageRequest) -> Rows:
    """One page of what can be ordered; where `near` is asked for, each says how many `metres` it is away."""
    if filters.predictable:
        found = LIST.where(*filters.apart_from_place())
        return await _rows(session, _page(found, order, page))
    total = await statistics_of(session).total(session)
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
    statistics = statistics_of(session)
    total = max(total, 1)  # not known before the first ANALYZE
    for one in filters.one_by_one():
        if await expected(session, one) < total * MANY:
            return await _rows(session, _collected(filters, Order.RELEVANCE, page))
    # Of what many fulfil one by one, many may fulfil all: the planner takes them for independent.
    in_place = await share_in_place(session, filters, total)
    seen = (filters, "as a walk has seen")
    left: float | None = statistics.recall(seen)
    if left is None:
        left = max(await expected(session, filters), total * MANY) * in_place
    walked = min(int(AMPLE * total / (left + 1)), WALKED)
    if left * walked >= 1.5 * RANKED * total:
        rows = await _rows(session, _walk(filters, Order.RELEVANCE, page, walked))
        if _needed(rows) == RANKED:
            return rows
        left = _needed(rows) * total / walked
        statistics.note(seen, int(left))
    whole = replace(filters, whole_words=True)
    of_whole = min(left, in_place * await expected(session, whole))
    if of_whole > 2 * AMPLE:
        rows, left = await _best_by_score(session, whole, page, of_whole)
        if rows:
            return rows
    rows, _ = await _best_by_score(session, filters, page, left)
    return rows or await _rows(session, _collected(filters, Order.RELEVANCE, page))


async def _best_by_score(session: Session, filters: Filters, page: PageRequest, left: float) -> tuple[Rows, float]:
    """The page of the `RANKED` best, or nothing where there are not so many or it is not worth it; and of how many the
    filters seem to leave, by what was found, instead of `left`."""
    statistics = statistics_of(session)
    while left > 2 * AMPLE and (lowest := await statistics.score_of_best(session, AMPLE / left)) is not None:
        rows = await _rows(session, _collected(filters, Order.RELEVANCE, page, SERVICES.c.score >= lowest))
        if _needed(rows) == RANKED:
            return rows, left
        left = min(left / 2, _needed(rows) * left / AMPLE)
    return [], left


def _needed(rows: Rows) -> int:
    return rows[0]["needed"] if rows else 0


async def _many(session: Session, filters: Filters, total: int) -> bool:
    """Whether the filters leave so many that it is worth a walk to look for a page of them."""
    if await expected(session, filters) < total * MANY:
        return False
    return filters.near is None or await reach(session, filters) >= total * INHABITED


async def _rows(session: Session, statement: Select[Any]) -> Rows:
    connection = await session.connection()
    rows: Rows = (await connection.execute(statement)).mappings().all()
    return rows


def _shown(filters: Filters) -> list[ColumnElement[Any]]:
    return [*SHOWN, *_metres(filters)]


def _metres(filters: Filters, of: Columns = SERVICES.c) -> list[ColumnElement[Any]]:
    return [metres_between(filters.near, of.lat, of.lng).label("metres")] if filters.near else []


def _page(found: Select[Any], order: Order, page: PageRequest) -> Select[Any]:
    columns = [found.selected_columns[name] for name in order.columns]
    ordering = Ordering(columns, [PARSERS[name] for name in order.columns], order.descending)
    paged: Select[Any] = page.apply(found, ordering)
    return paged


def _walk(filters: Filters, order: Order, page: PageRequest, walked: int = WALKED) -> Select[Any]:
    """The page out of the first `walked` services of the ordering, behind the cursor; `needed` says how many there
    are for it."""
    if order == Order.RELEVANCE:
        way = _best(WEIGHED).limit(walked).subquery("way")
        return _ranked(select(*way.c).where(*filters.all(way.c)), filters, page)
    way = _page(_with_columns_of(order, WEIGHED), order, page).limit(walked).subquery("way")
    left = select(*(way.c[name] for name in order.columns), func.count().over().label("needed"))
    return _shown_of(_page(left.where(*filters.all(way.c)), order, page), filters, order, page)


def _collected(filters: Filters, order: Order, page: PageRequest, *more: ColumnElement[bool]) -> Select[Any]:
    """The page out of all that the filters and `more` leave, without a walk: behind OFFSET, nobody knows what it is
    for."""
    if order == Order.RELEVANCE:
        left = WEIGHED.where(*filters.all(), *more).offset(0).subquery("left")
        return _ranked(select(*left.c), filters, page)
    found = select(SERVICES.c.id, *_metres(filters)).where(*LISTED, *filters.all())
    left = _with_columns_of(order, found).offset(0).subquery("left")
    return _shown_of(_page(select(*(left.c[name] for name in order.columns)), order, page), filters, order, page)


def _with_columns_of(order: Order, found: Select[Any]) -> Select[Any]:
    missing = [name for name in order.columns if name not in found.selected_columns]
    return found.add_columns(*(SERVICES.c[name] for name in missing))


def _best(found: Select[Any]) -> Select[Any]:
    columns = found.selected_columns
    return found.order_by(columns.score.desc(), columns.id.desc())


def _ranked(found: Select[Any], filters: Filters, page: PageRequest) -> Select[Any]:
    """The page of the `RANKED` best of what is found, by how well it matches."""
    best = _best(found).limit(RANKED).subquery("best")
    rank = cast(func.round(func.ts_rank(best.c.search, filters.query) * 1_000_000), Integer)
    needed = func.count().over().label("needed")
    ranked = select(best.c.id, best.c.score, rank.label("relevance"), needed).subquery("ranked")
    return _shown_of(_page(select(*ranked.c), Order.RELEVANCE, page), filters, Order.RELEVANCE, page)


def _shown_of(picked: Select[Any], filters: Filters, order: Order, page: PageRequest) -> Select[Any]:
    """What is shown of the services of a page, which is made for these alone, and what else was picked with them."""
    of = picked.subquery("page").c
    again = [of[name].desc() if order.descending ^ page.backwards else of[name].asc() for name in order.columns]
    by_the_way = [of[name].label(name) for name in ("score", "relevance", "needed") if name in of]
    return select(*_shown(filters), *by_the_way).where(SERVICES.c.id == of.id).order_by(*again)


async def _nearest(session: Session, filters: Filters, page: PageRequest, total: int) -> Rows:
    assert filters.near  # noqa: S101
    walk = Walk(filters.near, filters.metres)
    apart = filters.apart_from_place()
    if page.backwards or not walk.possible or (apart and await expected(session, filters) < total * MANY):
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
