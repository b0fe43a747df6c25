"""How many services there are and how their scores are spread, as PostgreSQL's own statistics have it."""

import math
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Float, Numeric, String, cast, column, literal_column, select, table, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.catalog.models import WELL_RATED
from shared.db import Connected
from shared.db.statements import Statement

MAX_AGE = 60.0
"""Seconds. To read them costs as much as a short page, and they are made anew by ANALYZE alone."""
MOST = 4096


Spread = Sequence[tuple[Decimal, float]]
"""Scores, the best first, and the share of all services that each stands for."""


class Statistics:
    """Remembered for a while by each process; asked for anew each time while PostgreSQL has none."""

    def __init__(self) -> None:
        self._noted: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._total = 0
        self._spread: Spread = ()
        self._until = -math.inf

    async def total(self, session: Connected) -> int:
        """About how many services there are; 0 before the first ANALYZE."""
        await self._keep(session)
        return self._total

    async def score_of_best(self, session: Connected, share: float) -> Decimal | None:
        """What the best `share` of all services have at least, or about so many; None before the first ANALYZE."""
        await self._keep(session)
        if not self._spread:
            return None
        well_rated = sum(each for score, each in self._spread if score >= WELL_RATED)
        # The well rated ones, if they are about as many, have an index that is read without that of scores.
        if share / 2 <= well_rated <= share * 3:
            return WELL_RATED
        passed = 0.0
        for score, each in self._spread:
            passed += each
            if passed >= share:
                return score
        return self._spread[-1][0]

    def recall(self, key: Hashable) -> int | None:
        """What was noted under this key within `MAX_AGE`."""
        noted_at, number = self._noted.get(key, (-math.inf, 0))
        return number if time.monotonic() - noted_at < MAX_AGE else None

    def note(self, key: Hashable, number: int) -> None:
        """Remember it, and of all others the last `MOST`; not before the first ANALYZE, which changes everything."""
        if self._spread:
            self._noted[key] = (time.monotonic(), number)
            self._noted.move_to_end(key)
            if len(self._noted) > MOST:
                self._noted.popitem(last=False)

    async def _keep(self, session: Connected) -> None:
        if time.monotonic() >= self._until:
            self._total, self._spread = await _read(session)
            self._until = time.monotonic() + (MAX_AGE if self._spread else 0)


def statistics_of(session: Connected) -> Statistics:
    """Those of the process that the session is of."""
    statistics: Statistics = session.info["statistics"]
    return statistics


_ABOUT = (
    select(literal_column("reltuples", Float).label("reltuples"))
    .select_from(text("pg_class"))
    .where(text("oid = 'services'::regclass"))
)
_OF_SCORES = select(
    *(
        cast(cast(column(name), String), ARRAY(Numeric)).label(name)
        for name in ("histogram_bounds", "most_common_vals")
    ),
    cast(column("most_common_freqs"), ARRAY(Float)).label("most_common_freqs"),
)
_OF_SCORES = _OF_SCORES.select_from(table("pg_stats")).where(
    column("tablename") == "services", column("attname") == "score"
)
_TOTAL = Statement[Any](_ABOUT)
_SCORES = Statement[Any](_OF_SCORES)


async def _read(session: Connected) -> tuple[int, Spread]:
    total = max(int((await _TOTAL.one(session)).reltuples), 0)
    scores = await _SCORES.first(session)
    if scores is None:
        return total, ()
    return total, spread_of(
        scores.most_common_vals or (), scores.most_common_freqs or (), scores.histogram_bounds or ()
    )


def spread_of(common: Sequence[Decimal], shares: Sequence[float], bounds: Sequence[Decimal]) -> Spread:
    """Of the values that are common, with the share of each, and of the bounds between which all others are, equally
    many each (PostgreSQL's documentation of `pg_stats`). Where nothing is reviewed yet, all have the same score."""
    each = max(0.0, 1 - sum(shares)) / max(1, len(bounds))
    return sorted([*zip(common, shares, strict=True), *((bound, each) for bound in bounds)], reverse=True)
