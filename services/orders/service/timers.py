"""What happens to orders when time passes. Every instance runs it: each takes orders that no other is at work on."""

import asyncio
from datetime import timedelta

import structlog

from services.orders.repo import orders as repo
from services.orders.service import moves
from shared.db import Database

BATCH = 100

log = structlog.get_logger()


async def expire_forever(database: Database, every: timedelta) -> None:
    """Cancel what nobody accepted in time, until cancelled oneself."""
    while True:
        try:
            while await expire_batch(database) == BATCH:
                pass
        except Exception as error:
            log.warning("expiry_waits", error=repr(error))
        await asyncio.sleep(every.total_seconds())


async def expire_batch(database: Database) -> int:
    """One transaction's worth; returns how many orders it cancelled."""
    async with database.session() as session:
        cancelled = await repo.cancel_unaccepted(session, BATCH)
        for order in cancelled:
            await moves.note_cancelled(session, order, "No worker accepted it in time.")
    return len(cancelled)
