"""What waits in a service's outbox and inbox, and how its connections stand, as Prometheus sees it."""

import asyncio

import structlog
from sqlalchemy import func
from sqlmodel import col, select

from shared.db import Database
from shared.messaging.bus import Bus
from shared.messaging.relay import backlog
from shared.messaging.tables import InboxRow
from shared.observability.metrics import BROKER, INBOX_KEPT, OUTBOX_AGE, OUTBOX_WAITING, POOL

EVERY = 10.0
"""Seconds: the queries do not come with each scrape, so their cost is the same however many scrape."""

log = structlog.get_logger()


def watch_connections(service: str, database: Database, bus: Bus) -> None:
    """Have each scrape ask how the pool and the broker stand just then."""
    pool = database.engine.sync_engine.pool
    for state, number in {"checked_out": pool.checkedout, "idle": pool.checkedin}.items():  # type: ignore[attr-defined]
        POOL.labels(service, state).set_function(number)
    POOL.labels(service, "most").set(database.most_connections)
    BROKER.labels(service).set_function(lambda: float(bus.connected))


async def watch_backlogs(service: str, database: Database) -> None:
    """Measure now and every ten seconds, until cancelled."""
    while True:
        try:
            await measure(service, database)
        except Exception as error:
            log.warning("backlogs_are_not_measured", error=repr(error))
        await asyncio.sleep(EVERY)


async def measure(service: str, database: Database) -> None:
    """By the partial indexes alone: it costs as much as waits, however much there was."""
    outbox = await backlog(database)
    OUTBOX_WAITING.labels(service).set(outbox.waiting)
    OUTBOX_AGE.labels(service).set(outbox.age.total_seconds())
    async with database.session() as session:
        for state in ("retry", "dead"):
            kept = select(func.count()).select_from(InboxRow).where(col(InboxRow.state) == state)
            INBOX_KEPT.labels(service, state).set((await session.exec(kept)).one())
