"""Delete what outbox, inbox and saved answers need no longer, in small steps that nobody notices."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import delete, func, tuple_
from sqlmodel import col, select

from shared.db import Database, saved_answers
from shared.messaging.tables import InboxRow, OutboxRow

KEEP_PUBLISHED = timedelta(hours=72)
KEEP_DONE = timedelta(days=14)
"""Longer than any bus holds a message back: only then is a repeat impossible."""
EVERY = timedelta(minutes=10)
STEP = 1000

log = structlog.get_logger()


async def keep_house(database: Database) -> None:
    """Sweep now and every ten minutes, until cancelled."""
    while True:
        try:
            while await sweep(database) >= STEP:
                pass
        except Exception as error:
            log.warning("sweep_waits", error=repr(error))
        await asyncio.sleep(EVERY.total_seconds())


async def sweep(database: Database) -> int:
    """Delete up to a step's worth of each; returns how many rows went."""
    published = select(OutboxRow.seq).where(col(OutboxRow.published_at) < func.now() - KEEP_PUBLISHED).limit(STEP)
    done = (
        select(InboxRow.event_id, InboxRow.subscription)
        .where(InboxRow.state == "done", col(InboxRow.received_at) < func.now() - KEEP_DONE)
        .limit(STEP)
    )
    inbox_key = tuple_(col(InboxRow.event_id), col(InboxRow.subscription))
    async with database.session() as session:
        gone = await session.exec(delete(OutboxRow).where(col(OutboxRow.seq).in_(published)))
        gone_too = await session.exec(delete(InboxRow).where(inbox_key.in_(done)))
        answers = await saved_answers.sweep(session, STEP)
    return gone.rowcount + gone_too.rowcount + answers
