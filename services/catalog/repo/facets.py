"""How many services there are of which kind."""

from typing import Any

from sqlalchemy import Numeric, Select, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.catalog.domain import PRICE_BANDS
from services.catalog.repo.filters import Conditions, Filters, Rows, rows
from services.catalog.repo.services import LISTED, SERVICES
from shared.db import Connected


async def counts(session: Connected, filters: Filters) -> Rows:
    """How many can be ordered by category, city with its `city_key` that is the same in any case, and price band."""
    return await rows(session, filters, _counted)


def _counted(conditions: Conditions) -> Select[Any]:
    bands = func.width_bucket(SERVICES.c.price, cast(literal(PRICE_BANDS, ARRAY(Numeric)), ARRAY(Numeric)))
    counted = (
        select(SERVICES.c.category_id, SERVICES.c.city, bands.label("band"), func.count().label("count"))
        .where(*LISTED, *conditions.all())
        .group_by(SERVICES.c.category_id, SERVICES.c.city, text("band"))
        .subquery()
    )
    return select(counted, func.lower(counted.c.city).label("city_key"))
