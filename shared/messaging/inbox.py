"""The inbox lets each event take effect once, and tries again what failed: the same under both buses."""

import asyncio

import structlog
from sqlalchemy import func, literal, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts import Envelope
from shared.db import Database, Session
from shared.db.base import utcnow
from shared.messaging.bus import Subscriptions, Undeliverable
from shared.messaging.tables import InboxRow
from shared.observability.context import set_request_id
from shared.observability.metrics import EVENTS

HANDLERS_AT_ONCE = 4
"""Fewer than the connections of the pool, so that a flood of events leaves some to requests."""

log = structlog.get_logger()


class Inbox:
    def __init__(
        self, service: str, database: Database, subscriptions: Subscriptions, settings: ServiceSettings
    ) -> None:
        self._service, self._database, self._subscriptions = service, database, subscriptions
        self._delays, self._poll = settings.retry_delays, settings.relay_poll
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(HANDLERS_AT_ONCE)

    async def receive(self, envelope: Envelope) -> None:
        """Claim the event and handle it in one transaction; a repeat does nothing.

        When this returns, the event is done, or kept to be retried, or dead: the carrier may forget it. Raises
        `Unavailable` where the database can't say, and the carrier must deliver it again.
        """
        set_request_id(envelope.correlation_id)
        async with self._slots:
            try:
                async with self._database.session() as session:
                    if await self._claim(session, envelope):
                        await self._subscriptions.handle(session, envelope)
                        self._count(envelope, "done")
            except Exception as error:
                # Also after an error of the database: it may only have been this handler's (a lock, a time-out). If
                # the database is away, keeping it fails too, and that is what the carrier is told.
                await self._keep(envelope, error)

    async def store(self, envelopes: list[Envelope]) -> None:
        """Keep events as due now, for a carrier that has no memory of its own, and wake the loop that handles them."""
        rows = [self._row(envelope) | {"state": "retry", "next_at": func.now()} for envelope in envelopes]
        async with self._database.session() as session:
            await session.exec(insert(InboxRow).values(rows).on_conflict_do_nothing())
        self._work.set()

    async def run(self) -> None:
        """Handle what is due, until cancelled: retries, and what `store` kept."""
        while True:
            self._work.clear()
            try:
                while await self._handle_due():
                    pass
                pause = await self._until_next()
            except Exception as error:
                log.warning("inbox_waits", error=repr(error))
                pause = 1.0
            await woken(self._work, pause)

    async def _claim(self, session: Session, envelope: Envelope) -> bool:
        # By RETURNING: psycopg reports -1 as rowcount here, whether a row was written or not.
        row = {"event_id": envelope.id, "subscription": envelope.name, "state": "done", "attempts": 0}
        claim = insert(InboxRow).values(row).on_conflict_do_nothing().returning(literal(1))
        return (await session.exec(claim)).first() is not None

    def _row(self, envelope: Envelope) -> dict[str, object]:
        return {
            "event_id": envelope.id,
            "subscription": envelope.name,
            "attempts": 0,
            "envelope": envelope.model_dump_json(),
        }

    async def _keep(self, envelope: Envelope, error: Exception) -> None:
        async with self._database.session() as session:
            kept = self._row(envelope) | self._outcome(1, envelope, error)
            await session.exec(insert(InboxRow).values(kept).on_conflict_do_nothing())
        self._work.set()

    async def _handle_due(self) -> bool:
        """Take one due event and handle it. The row stays locked meanwhile, so no other instance takes it too."""
        due = (
            select(InboxRow)
            .where(InboxRow.state == "retry", col(InboxRow.next_at) <= func.now())
            .order_by(col(InboxRow.next_at))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._slots, self._database.session() as session:
            row = (await session.exec(due)).first()
            if row is None:
                return False
            envelope = Envelope.model_validate_json(row.envelope or "")
            set_request_id(envelope.correlation_id)
            try:
                async with session.begin_nested():
                    await self._subscriptions.handle(session, envelope)
                outcome: dict[str, object] = {"state": "done", "envelope": None, "error": None, "next_at": None}
                self._count(envelope, "done")
            except Exception as error:
                outcome = self._outcome(row.attempts + 1, envelope, error)
            mine = (col(InboxRow.event_id) == row.event_id, col(InboxRow.subscription) == row.subscription)
            await session.exec(update(InboxRow).where(*mine).values(outcome))
            return True

    def _outcome(self, attempts: int, envelope: Envelope, error: Exception) -> dict[str, object]:
        """What the row says after the `attempts`-th failure: when to try again, or that it is dead."""
        values: dict[str, object] = {"attempts": attempts, "error": repr(error)[:2000]}
        where = {"event_name": envelope.name, "event_id": str(envelope.id), "attempts": attempts}
        if isinstance(error, Undeliverable) or attempts > len(self._delays):
            log.error("event_is_dead", **where, exc_info=error)
            self._count(envelope, "dead")
            return values | {"state": "dead", "next_at": None}
        delay = self._delays[attempts - 1]
        log.warning("event_is_retried", **where, delay=delay.total_seconds(), exc_info=error)
        self._count(envelope, "retry")
        return values | {"state": "retry", "next_at": func.now() + delay}

    async def _until_next(self) -> float:
        """Seconds until something is due, at most a poll's length."""
        async with self._database.session() as session:
            first = select(func.min(InboxRow.next_at)).where(InboxRow.state == "retry")
            due = (await session.exec(first)).one()
        wait = min(self._poll, due - utcnow()) if due else self._poll
        return max(0.01, wait.total_seconds())

    def _count(self, envelope: Envelope, outcome: str) -> None:
        EVENTS.labels(self._service, envelope.name, outcome).inc()
