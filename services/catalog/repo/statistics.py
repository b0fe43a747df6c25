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


class Statistics:
    """Remembered for a while by each process; asked for anew each time while PostgreSQL has none."""

    def __init__(self) -> None:
        self._noted: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._total = 0
        self._bounds: Sequence[Decimal] = ()
        self._until = -math.inf

    async def total(self, session: Connected) -> int:
        """About how many services there are; 0 before the first ANALYZE."""
        await self._keep(session)
        return self._total

    async def score_of_best(self, session: Connected, share: float) -> Decimal | None:
        """What the best `share` of all services have at least, or about so many; None before the first ANALYZE."""
        await self._keep(session)
        if not self._bounds:
            return None
        lowest = self._bounds[int((1 - share) * (len(self._bounds) - 1))]
        well_rated = sum(score >= WELL_RATED for score in self._bounds) / len(self._bounds)
        # The well rated ones, if they are about as many, have an index that is read without that of scores.
        return WELL_RATED if share / 2 <= well_rated <= share * 3 else lowest

    def recall(self, key: Hashable) -> int | None:
        """What was noted under this key within `MAX_AGE`."""
        noted_at, number = self._noted.get(key, (-math.inf, 0))
        return number if time.monotonic() - noted_at < MAX_AGE else None

    def note(self, key: Hashable, number: int) -> None:
        """Remember it, and of all others the last `MOST`; not before the first ANALYZE, which changes everything."""
        if self._bounds:
            self._noted[key] = (time.monotonic(), number)
            self._noted.move_to_end(key)
            if len(self._noted) > MOST:
                self._noted.popitem(last=False)

    async def _keep(self, session: Connected) -> None:
        if time.monotonic() >= self._until:
            self._total, self._bounds = await _read(session)
            self._until = time.monotonic() + (MAX_AGE if self._bounds else 0)


def statistics_of(session: Connected) -> Statistics:
    """Those of the process that the session is of."""
    statistics: Statistics = session.info["statistics"]
    return statistics


_ABOUT = (
    select(literal_column("reltuples", Float)).select_from(text("pg_class")).where(text("oid = 'services'::regclass"))
)
_BOUNDS = (
    select(cast(cast(column("histogram_bounds"), String), ARRAY(Numeric)))
    .select_from(table("pg_stats"))
    .where(column("tablename") == "services", column("attname") == "score")
)
"""Scores between which there are equally many services each."""
_READ = Statement[Any](select(_ABOUT.scalar_subquery().label("about"), _BOUNDS.scalar_subquery().label("bounds")))


async def _read(session: Connected) -> tuple[int, Sequence[Decimal]]:
    found = await _READ.one(session)
    return max(int(found.about), 0), found.bounds or ()
