"""How scores are spread over all services, as PostgreSQL's statistics have it."""

import math
import time
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import Numeric, String, cast, column, select, table
from sqlalchemy.dialects.postgresql import ARRAY

from services.catalog.models import WELL_RATED
from shared.db import Session

MAX_AGE = 60.0
"""Seconds. To read them costs as much as a short page, and they are made anew by ANALYZE alone."""


class ScoreBounds:
    """Scores between which there are equally many services each, remembered for a while by each process."""

    def __init__(self) -> None:
        self._found: Sequence[Decimal] = ()
        self._until = -math.inf

    async def of_best(self, session: Session, share: float) -> Decimal | None:
        """What the best `share` of all services have at least, or about so many; None where PostgreSQL has no
        statistics yet."""
        if time.monotonic() >= self._until:
            self._found = await _read(session)
            self._until = time.monotonic() + (MAX_AGE if self._found else 0)
        if not self._found:
            return None
        lowest = self._found[int((1 - share) * (len(self._found) - 1))]
        well_rated = sum(score >= WELL_RATED for score in self._found) / len(self._found)
        # The well rated ones, if they are about as many, have an index that is read without that of scores.
        return WELL_RATED if share / 2 <= well_rated <= share * 3 else lowest


async def _read(session: Session) -> Sequence[Decimal]:
    bounds = cast(cast(column("histogram_bounds"), String), ARRAY(Numeric))
    of_score = (column("tablename") == "services", column("attname") == "score")
    connection = await session.connection()
    found: Sequence[Decimal] | None = await connection.scalar(
        select(bounds).select_from(table("pg_stats")).where(*of_score)
    )
    return found or ()
