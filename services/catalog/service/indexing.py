"""Let searches follow what they go by, in batches that nobody waits for: names of categories, and services that were
written without their words."""

import asyncio
from datetime import timedelta

import structlog

from services.catalog.models import Category
from services.catalog.repo import search as repo
from shared.db import Database

log = structlog.get_logger()


async def keep_indexed(database: Database, every: timedelta) -> None:
    """Look again and again, until cancelled."""
    while True:
        try:
            await index(database)
        except Exception as error:
            log.warning("indexing_waits", error=repr(error))
        await asyncio.sleep(every.total_seconds())


async def index(database: Database) -> None:
    """Bring the words of all services up to date, each batch in a transaction of its own."""
    written = repo.BATCH
    while written == repo.BATCH:
        async with database.session() as session:
            written = await repo.index_unindexed(session)
    async with database.session() as session:
        renamed = await repo.renamed_categories(session)
    for category in renamed:
        await _index_category(database, category)


async def _index_category(database: Database, category: Category) -> None:
    """Whoever renames it meanwhile is noticed: then it is done again with the next look."""
    after, more = None, True
    while more:
        async with database.session() as session:
            after = await repo.index_category(session, category.id, after)
            if not (more := after is not None):
                await repo.note_indexed(session, category.id, category.names)
