"""How many services there are of which kind."""

from collections.abc import Sequence

from sqlalchemy import Numeric, RowMapping, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.catalog.domain import PRICE_BANDS
from services.catalog.repo.filters import Filters
from services.catalog.repo.services import LISTED, SERVICES
from shared.db import Session


async def counts(session: Session, filters: Filters) -> Sequence[RowMapping]:
    """How many can be ordered by category, city with its `city_key` that is the same in any case, and price band."""
    bands = func.width_bucket(SERVICES.c.price, cast(literal(PRICE_BANDS, ARRAY(Numeric)), ARRAY(Numeric)))
    counted = (
        select(SERVICES.c.category_id, SERVICES.c.city, bands.label("band"), func.count().label("count"))
        .where(*LISTED, *filters.all())
        .group_by(SERVICES.c.category_id, SERVICES.c.city, text("band"))
        .subquery()
    )
    connection = await session.connection()
    found = select(counted, func.lower(counted.c.city).label("city_key"))
    return (await connection.execute(found)).mappings().all()
