"""Pages of lists of services, as rows: a list is read far too often for objects.

A page is short and a list may be long, so how to come to it matters. Where many services are left by the filters, it
soon fills up on a walk along the index of the ordering; where few are, they are found by the filters' indexes, and
sorted. The planner would choose between these by itself, if it knew how many are left: see `Filters.predictable`. So
the walk has an end here, and whether it filled the page decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, bindparam, cast, func, select

from services.catalog.domain import Order
from services.catalog.repo.expectations import expected, reach, share_in_place
from services.catalog.repo.filters import Build, Conditions, Filters, Rows, rows, rows_of
from services.catalog.repo.services import LISTED, SERVICES, SHOWN
from services.catalog.repo.statistics import statistics_of
from shared.db import Connected
from shared.db.engine import planned
from shared.db.geo import Walk, map_within, metres_between
from shared.http.pagination import (
    Ordering,
    PageRequest,
    Place,
    paged,
    parse_decimal,
    parse_id,
    parse_integer,
    parse_time,
)

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
    "metres": parse_integer,
    "relevance": parse_integer,
    "id": parse_id,
}

LIST = select(*SHOWN).where(*LISTED)


async def services(session: Connected, filters: Filters, order: Order, page: PageRequest) -> Rows:
    """One page of what can be ordered; where `near` is asked for, each says how many `metres` it is away."""
    if filters.predictable:
        return await _rows(session, filters, order, page, _plain)
    total = await statistics_of(session).total(session)
    if order == Order.NEAREST:
        return await _nearest(session, filters, page, total)
    if order == Order.RELEVANCE:
        return await _most_relevant(session, filters, page, total)
    if await _many(session, filters, total):
        found = await _rows(session, filters, order, page, _walk)
        if _needed(found) > page.limit:
            return found
    return await _rows(session, filters, order, page, _collected)


async def _most_relevant(session: Connected, filters: Filters, page: PageRequest, total: int) -> Rows:
    """The page of the `RANKED` best by `score`. Of many that the filters leave only those are fetched that may be
    among these: by a walk where it is sure to meet so many, else by a lowest score, which is told by an index as the
    words are, before any row is fetched. Beginnings of words take several times as long to find as whole words, which
    match better: where there are enough of these, nothing else is looked for."""
    statistics = statistics_of(session)
    total = max(total, 1)  # not known before the first ANALYZE
    for one in filters.one_by_one():
        if await expected(session, one) < total * MANY:
            return await _rows(session, filters, Order.RELEVANCE, page, _collected)
    # Of what many fulfil one by one, many may fulfil all: the planner takes them for independent.
    in_place = await share_in_place(session, filters, total)
    seen = (filters, "as a walk has seen")
    left: float | None = statistics.recall(seen)
    if left is None:
        left = max(await expected(session, filters), total * MANY) * in_place
    walked = min(int(AMPLE * total / (left + 1)), WALKED, total)
    if left * walked >= 1.5 * RANKED * total:
        found = await _rows(session, filters, Order.RELEVANCE, page, _walk, walked=walked)
        if _needed(found) == RANKED:
            return found
        left = _needed(found) * total / walked
        statistics.note(seen, int(left))
    whole = replace(filters, whole_words=True)
    of_whole = min(left, in_place * await expected(session, whole))
    if of_whole > 2 * AMPLE:
        found, left = await _best_by_score(session, whole, page, of_whole)
        if found:
            return found
    found, _ = await _best_by_score(session, filters, page, left)
    return found or await _rows(session, filters, Order.RELEVANCE, page, _collected)


async def _best_by_score(session: Connected, filters: Filters, page: PageRequest, left: float) -> tuple[Rows, float]:
    """The page of the `RANKED` best, or nothing where there are not so many or it is not worth it; and of how many the
    filters seem to leave, by what was found, instead of `left`."""
    statistics = statistics_of(session)
    while left > 2 * AMPLE and (lowest := await statistics.score_of_best(session, AMPLE / left)) is not None:
        found = await _rows(session, filters, Order.RELEVANCE, page, _well_scored, lowest_score=lowest)
        if _needed(found) == RANKED:
            return found, left
        left = min(left / 2, _needed(found) * left / AMPLE)
    return [], left


def _needed(found: Rows) -> int:
    return found[0]["needed"] if found else 0


async def _many(session: Connected, filters: Filters, total: int) -> bool:
    """Whether the filters leave so many that it is worth a walk to look for a page of them."""
    if await expected(session, filters) < total * MANY:
        return False
    return filters.near is None or await reach(session, filters) >= total * INHABITED


async def _rows(
    session: Connected, filters: Filters, order: Order, page: PageRequest, build: Build, **values: Any
) -> Rows:
    """The page by the statement that `build` makes, with the values that it has by default or is given."""
    values = {"ranked": RANKED, "walked": WALKED, **page.values(_ordering(order)), **values}
    return await rows(session, filters, build, order, page.place, as_text=True, **values)


def _shown(conditions: Conditions) -> list[ColumnElement[Any]]:
    return [*SHOWN, *_metres(conditions)]


def _metres(conditions: Conditions) -> list[ColumnElement[Any]]:
    near, of = conditions.near, SERVICES.c
    return [metres_between(near, of.lat, of.lng).label("metres")] if near else []


def _ordering(order: Order, columns: Sequence[Any] = ()) -> Ordering:
    """By these columns, which to read a cursor are not needed."""
    return Ordering(columns, [PARSERS[name] for name in order.columns], order.descending)


def _page(found: Select[Any], order: Order, place: Place) -> Select[Any]:
    columns = [found.selected_columns[name] for name in order.columns]
    page: Select[Any] = paged(found, _ordering(order, columns), place)
    return page


def _plain(conditions: Conditions, order: Order, place: Place) -> Select[Any]:
    """The page as the planner finds it best."""
    return _page(LIST.where(*conditions.all()), order, place)


def _walk(conditions: Conditions, order: Order, place: Place) -> Select[Any]:
    """The page out of the first `walked` services of the ordering, behind the cursor; `needed` says how many there
    are for it."""
    walked = bindparam("walked", type_=BigInteger)
    if order == Order.RELEVANCE:
        way = _best(WEIGHED).limit(walked).subquery("way")
        return _ranked(select(*way.c).where(*conditions.all(way.c)), conditions, place)
    way = _page(_with_columns_of(order, WEIGHED), order, place).limit(walked).subquery("way")
    left = select(*(way.c[name] for name in order.columns), func.count().over().label("needed"))
    return _shown_of(_page(left.where(*conditions.all(way.c)), order, place), conditions, order, place)


def _collected(conditions: Conditions, order: Order, place: Place, *more: ColumnElement[bool]) -> Select[Any]:
    """The page out of all that the filters and `more` leave, without a walk: behind OFFSET, nobody knows what it is
    for."""
    if order == Order.RELEVANCE:
        left = WEIGHED.where(*conditions.all(), *more).offset(0).subquery("left")
        return _ranked(select(*left.c), conditions, place)
    found = select(SERVICES.c.id, *_metres(conditions)).where(*LISTED, *conditions.all())
    left = _with_columns_of(order, found).offset(0).subquery("left")
    return _shown_of(_page(select(*(left.c[name] for name in order.columns)), order, place), conditions, order, place)


def _well_scored(conditions: Conditions, order: Order, place: Place) -> Select[Any]:
    """The same out of those that have the `lowest_score` at least."""
    return _collected(conditions, order, place, SERVICES.c.score >= bindparam("lowest_score"))


def _with_columns_of(order: Order, found: Select[Any]) -> Select[Any]:
    missing = [name for name in order.columns if name not in found.selected_columns]
    return found.add_columns(*(SERVICES.c[name] for name in missing))


def _best(found: Select[Any]) -> Select[Any]:
    columns = found.selected_columns
    return found.order_by(columns.score.desc(), columns.id.desc())


def _ranked(found: Select[Any], conditions: Conditions, place: Place) -> Select[Any]:
    """The page of the best of what is found, `ranked` of them, by how well it matches."""
    best = _best(found).limit(bindparam("ranked", type_=BigInteger)).subquery("best")
    rank = cast(func.round(func.ts_rank(best.c.search, conditions.query) * 1_000_000), Integer)
    needed = func.count().over().label("needed")
    ranked = select(best.c.id, best.c.score, rank.label("relevance"), needed).subquery("ranked")
    return _shown_of(_page(select(*ranked.c), Order.RELEVANCE, place), conditions, Order.RELEVANCE, place)


def _shown_of(picked: Select[Any], conditions: Conditions, order: Order, place: Place) -> Select[Any]:
    """What is shown of the services of a page, which is made for these alone, and what else was picked with them."""
    of = picked.subquery("page").c
    descending = order.descending ^ (place == Place.BEFORE)
    again = [of[name].desc() if descending else of[name].asc() for name in order.columns]
    by_the_way = [of[name].label(name) for name in ("score", "relevance", "needed") if name in of]
    return select(*_shown(conditions), *by_the_way).where(SERVICES.c.id == of.id).order_by(*again)


async def _nearest(session: Connected, filters: Filters, page: PageRequest, total: int) -> Rows:
    assert filters.near  # noqa: S101
    conditions = filters.conditions
    walk = Walk(filters.near, conditions.metres)
    apart = conditions.apart_from_place()
    if page.backwards or not walk.possible or (apart and await expected(session, filters) < total * MANY):
        return await _rows(session, filters, Order.NEAREST, page, _collected)
    away = walk.away(SERVICES.c.lat, SERVICES.c.lng)
    in_reach = map_within(conditions.metres, filters.near, SERVICES.c.lat, SERVICES.c.lng)
    on_map = select(*_shown(conditions), away.label("away"))
    on_map = on_map.where(*LISTED, SERVICES.c.lat.is_not(None), in_reach, *conditions.all())
    outwards = _page(on_map, Order.NEAREST, page.place).order_by(None).order_by(away)
    values = {**filters.values, **page.values(_ordering(Order.NEAREST))}
    steps = 4 * (page.limit + 1)
    while True:
        # The planner, which does not know how many are in reach, would rather sort them all.
        async with planned(session, enable_sort="off"):
            found = await rows_of(session, outwards.limit(steps), values)
        nearest = sorted(found, key=lambda row: (row["metres"], row["id"]))[: page.limit + 1]
        # As the map is no globe, it goes on until none can follow that is nearer than the last.
        if len(found) < steps or found[-1]["away"] > walk.reach(nearest[-1]["metres"] + 0.5):
            return nearest
        steps *= 4
