"""Dead letters: events in an inbox that could not be handled, however often they were tried."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import col, select

from shared.db import Database
from shared.db.base import utcnow
from shared.messaging.tables import InboxRow

_IS_DEAD = InboxRow.state == "dead"


async def count_dead(database: Database) -> int:
    async with database.session() as session:
        return (await session.exec(select(func.count()).select_from(InboxRow).where(_IS_DEAD))).one()


async def oldest_overdue(database: Database) -> timedelta:
    """For how long the retry that is due the longest has been."""
    async with database.session() as session:
        first = select(func.min(InboxRow.next_at)).where(InboxRow.state == "retry")
        due = (await session.exec(first)).one()
    return max(utcnow() - due, timedelta()) if due else timedelta()


async def dead_letters(database: Database, limit: int) -> Sequence[InboxRow]:
    """Oldest first."""
    async with database.session() as session:
        oldest = select(InboxRow).where(_IS_DEAD).order_by(col(InboxRow.received_at)).limit(limit)
        return (await session.exec(oldest)).all()


async def dead_letter(database: Database, event_id: UUID) -> InboxRow | None:
    async with database.session() as session:
        return (await session.exec(select(InboxRow).where(_IS_DEAD, InboxRow.event_id == event_id))).first()


async def replay(database: Database, event_id: UUID | None) -> int:
    """Let the service try that one, or all of them, as if they had just come. Returns how many that are."""
    again = update(InboxRow).where(col(InboxRow.state) == "dead")
    if event_id:
        again = again.where(col(InboxRow.event_id) == event_id)
    async with database.session() as session:
        replayed = await session.exec(again.values(state="retry", attempts=0, next_at=func.now()))
    return replayed.rowcount
