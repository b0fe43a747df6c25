"""How many orders stand at each status, as Prometheus sees it: docs/adr/0026-metrics.md."""

import asyncio
from collections.abc import Collection

import structlog

from services.orders.domain import Status
from services.orders.repo import orders as repo
from shared.db import Database
from shared.observability.metrics import ORDERS

EVERY = 15.0
"""Seconds between two counts of orders that have not ended: there are few."""
ENDED_EVERY = 40
"""Of so many counts one is of those that have ended too, which are as many as there ever were."""

log = structlog.get_logger()


async def watch_totals(database: Database) -> None:
    """Count now and then, until cancelled."""
    round_ = 0
    while True:
        try:
            await count(database, (*Status,) if round_ % ENDED_EVERY == 0 else repo.OPEN)
        except Exception as error:
            log.warning("orders_are_not_counted", error=repr(error))
        round_ += 1
        await asyncio.sleep(EVERY)


async def count(database: Database, statuses: Collection[Status]) -> None:
    async with database.session() as session:
        found = await repo.count_by_status(session, statuses)
    for status in statuses:
        ORDERS.labels(status).set(found.get(status, 0))
