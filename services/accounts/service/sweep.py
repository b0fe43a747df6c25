"""Delete what accounts needs no longer, in small steps that nobody notices."""

import asyncio
from datetime import timedelta

import structlog

from services.accounts.repo import keys, logins
from services.accounts.throttle import Throttle
from shared.db import Database
from shared.db.base import utcnow

EVERY = timedelta(minutes=10)
KEEP = timedelta(days=1)
"""For which what has ended is kept, for whoever looks into what happened."""

log = structlog.get_logger()


async def sweep_forever(database: Database, throttle: Throttle) -> None:
    """Sweep now and every ten minutes, until cancelled."""
    while True:
        try:
            await sweep(database, throttle)
        except Exception as error:
            log.warning("sweep_waits", error=repr(error))
        await asyncio.sleep(EVERY.total_seconds())


async def sweep(database: Database, throttle: Throttle) -> None:
    before = utcnow() - KEEP
    more = True
    while more:
        async with database.session() as session:
            more = await logins.sweep(session, before) >= logins.STEP
    async with database.session() as session:
        await keys.forget_ended(session, before)
    await throttle.sweep()
