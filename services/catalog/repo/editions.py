"""Which edition of its public content catalog is at."""

from typing import Any

from sqlalchemy import func, select

from services.catalog.models import Base
from shared.db import Database
from shared.db.statements import Statement

_CHANGES = Base.metadata.tables["public_changes"].c
# Both: a transaction that began to write before another may be committed after it, and old rows are taken away.
_EDITION = Statement[Any](
    select(func.count().label("changes"), func.coalesce(func.max(_CHANGES.id), 0).label("latest"))
)


async def edition(database: Database) -> str:
    """The same text as before only if nothing was committed meanwhile that could change a public answer."""
    ((changes, latest),) = await database.run(_EDITION)
    return f"{changes}.{latest}"
