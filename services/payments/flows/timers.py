"""What happens to money when time passes. Every instance runs it: each takes what no other is at work on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from services.payments.config import PaymentsSettings
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.providers import Providers
from services.payments.repo import keyed_calls
from services.payments.repo.payments import BATCH
from services.payments.service import attempts, escrow
from shared.background import woken
from shared.db import Database, Session

log = structlog.get_logger("payments")


async def forever(work: Callable[[], Awaitable[object]], wake: asyncio.Event, every: timedelta) -> None:
    """Do the work again and again, at once where someone wakes it, until cancelled."""
    while True:
        wake.clear()
        try:
            await work()
        except Exception as error:
            log.warning("timer_waits", error=repr(error))
        await woken(wake, every.total_seconds())


async def pass_time(database: Database, settings: PaymentsSettings) -> None:
    """End attempts that nobody touched, release escrow that is due, forget old keys."""
    await _drained(database, attempts.expire, BATCH)
    await _drained(database, lambda session: escrow.release(session, settings.escrow_hold), BATCH)
    await _drained(database, keyed_calls.sweep, keyed_calls.BATCH)


async def _drained(database: Database, step: Callable[[Session], Awaitable[int]], batch: int) -> None:
    done = batch
    while done == batch:
        async with database.session() as session:
            done = await step(session)


async def reconcile(
    payments: PaymentFlows, refunds: RefundFlows, settings: PaymentsSettings, providers: Providers
) -> int:
    """Ask providers about what hangs; returns how much of it has an outcome now."""
    closed = await payments.reconcile(settings, providers) + await refunds.send_due(settings, providers)
    if closed:
        log.info("reconciled", closed=closed)
    return closed
