"""Tell again what was told: after the broker lost what it held, or after a database came back from a backup."""

from datetime import timedelta

from sqlalchemy import func, update
from sqlmodel import col, select

from shared.db import Database
from shared.messaging.tables import InboxRow, OutboxRow

STEP = 1000
"""Rows a transaction: none of them holds up a relay, an inbox or a sweep for long."""


async def republish(database: Database, since: timedelta | None = None) -> int:
    """Mark what was published within `since`, or all that is kept, as unpublished; relays send it once more.

    Inboxes drop what they have had. Returns how many events that are.
    """
    marked = 0
    async with database.session() as session:
        # Up to now: what a relay publishes once more meanwhile is not to be marked again.
        now = (await session.exec(select(func.now()))).one()
    told = select(OutboxRow.seq).where(col(OutboxRow.published_at) <= now)
    if since is not None:
        told = told.where(col(OutboxRow.published_at) > now - since)
    step = update(OutboxRow).where(col(OutboxRow.seq).in_(told.order_by(col(OutboxRow.published_at)).limit(STEP)))
    while True:
        async with database.session() as session:
            count = (await session.exec(step.values(published_at=None))).rowcount
        marked += count
        if count < STEP:
            return marked


async def renew_inbox(database: Database) -> None:
    """Let the days for which the inbox remembers what it did begin now.

    They have passed in a backup that is old: the sweep would forget what republished events repeat.
    """
    async with database.session() as session:
        now = (await session.exec(select(func.now()))).one()
    old = select(InboxRow.event_id).where(InboxRow.state == "done", col(InboxRow.received_at) < now)
    step = update(InboxRow).where(col(InboxRow.event_id).in_(old.order_by(col(InboxRow.received_at)).limit(STEP)))
    while True:
        async with database.session() as session:
            renewed = await session.exec(step.where(col(InboxRow.state) == "done").values(received_at=func.now()))
        if renewed.rowcount < STEP:
            return
