"""What waits in a service's outbox and inbox, and how its connections stand, as Prometheus sees it."""

import asyncio
from typing import Any

import structlog
from sqlalchemy import ScalarSelect, func, literal_column, select
from sqlmodel import col

from shared.db import Database
from shared.db.statements import Statement
from shared.messaging.bus import Bus
from shared.messaging.relay import backlog
from shared.messaging.tables import InboxRow
from shared.observability.metrics import BROKER, INBOX_KEPT, OUTBOX_AGE, OUTBOX_WAITING, POOL

EVERY = 10.0
"""Seconds: the queries do not come with each scrape, so their cost is the same however many scrape."""

KEPT_STATES = ("retry", "dead")

log = structlog.get_logger()


def _in_state(state: str) -> ScalarSelect[int]:
    kept = select(func.count()).select_from(InboxRow).where(col(InboxRow.state) == literal_column(f"'{state}'"))
    return kept.scalar_subquery()


# A count each, by the state's partial index; the state stands in the text, so that every plan may use it.
_KEPT = Statement[Any](select(*(_in_state(state).label(state) for state in KEPT_STATES)))


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
    (inbox,) = await database.run(_KEPT)
    for state in KEPT_STATES:
        INBOX_KEPT.labels(service, state).set(getattr(inbox, state))
