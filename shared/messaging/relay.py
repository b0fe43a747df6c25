"""The relay carries what transactions wrote to the outbox over to the bus, at least once."""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, literal, select, update

from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts import Envelope
from shared.db import Database
from shared.db.base import utcnow
from shared.db.statements import Statement
from shared.messaging.bus import Bus, OutgoingMessage
from shared.messaging.tables import OutboxRow
from shared.observability import tracing

BATCH = 100
MARK_PAUSE = 0.03
"""Seconds from when the bus took an event until its row is marked, with all that came meanwhile: a mark of its own
costs as much as to publish it. What is not marked when the process is killed is published again."""

log = structlog.get_logger()


_OUTBOX = OutboxRow.metadata.tables["outbox"].c
_WAITING = Statement[Any](select(literal(1)).where(_OUTBOX.published_at.is_(None)).limit(literal(1)))
_BACKLOG = Statement[Any](
    select(func.count().label("waiting"), func.min(_OUTBOX.created_at).label("oldest")).where(
        _OUTBOX.published_at.is_(None)
    )
)
_DUE = Statement[Any](
    select(_OUTBOX.event_id, _OUTBOX.name, _OUTBOX.envelope)
    .where(_OUTBOX.published_at.is_(None))
    .order_by(_OUTBOX.seq)
    .limit(literal(BATCH))
    .with_for_update(skip_locked=True)
)
_PUBLISHED = Statement[Any](
    update(OutboxRow.metadata.tables["outbox"])
    .where(_OUTBOX.event_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .values(published_at=func.now())
)


class Relay:
    """Every instance of a service runs one. What a transaction of its own has just committed is handed over to it, and
    published as it is. What nobody published, since its process ended or the bus was away, is looked for in the outbox:
    there `SKIP LOCKED` shares the work, and repeats are the inboxes' matter.

    It never remembers how far it came: transactions commit out of the order of `seq`, so a cursor would skip some.
    """

    def __init__(self, service: str, database: Database, bus: Bus, settings: ServiceSettings) -> None:
        self._service, self._database, self._bus = service, database, bus
        self._poll, self._timeout = settings.relay_poll.total_seconds(), settings.publish_timeout.total_seconds()
        self._back_off = settings.relay_back_off.total_seconds()
        self._back_off_max = settings.relay_back_off_max.total_seconds()
        self._committed: list[OutgoingMessage] = []
        self._unmarked: list[UUID] = []
        """Taken by the bus, which their rows do not say yet."""
        self._mark_at = 0.0
        self._look_at = 0.0
        """When to look into the outbox next, by the clock of the event loop."""
        self._work = asyncio.Event()

    def hand_over(self, message: OutgoingMessage) -> None:
        """It is committed and to be published: called after each commit that wrote an event."""
        self._committed.append(message)
        self._work.set()

    def look(self) -> None:
        """There may be something in the outbox that was not handed over."""
        self._look_at = 0.0
        self._work.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        try:
            await self._run()
        finally:
            # Else they are published again after the start, and dropped by the inboxes.
            with suppress(Exception):
                async with asyncio.timeout(1):
                    await self._mark()

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        pause = self._back_off
        while True:
            self._work.clear()
            try:
                if self._unmarked and now() >= min(self._mark_at, self._look_at):
                    await self._mark()
                if now() >= self._look_at:
                    self._look_at = now() + self._poll
                    if await self.publish_batch() == BATCH:
                        self._look_at = now()
                if self._committed:
                    await self.publish_committed()
                pause = self._back_off
            except Exception as error:
                level = logging.WARNING if pause == self._back_off else logging.DEBUG  # once an outage
                log.log(level, "relay_waits", error=repr(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
                pause = min(pause * 2, self._back_off_max)
                self._committed.clear()  # they are in the outbox as well
                self._look_at = now()
                continue
            if not self._committed:
                until = min(self._look_at, self._mark_at) if self._unmarked else self._look_at
                await woken(self._work, max(0.0, until - now()))

    async def publish_committed(self) -> None:
        """Publish up to a batch of what was handed over, to be marked soon. Raises if the bus took none; what it did
        not take stays in the outbox alone."""
        messages, self._committed = self._committed[:BATCH], self._committed[BATCH:]
        taken = await self._publish(messages)
        now = asyncio.get_running_loop().time()
        if not self._unmarked:
            self._mark_at = now + MARK_PAUSE
        self._unmarked += [UUID(event_id) for event_id in taken]
        if len(self._unmarked) >= BATCH:
            self._mark_at = now

    async def _mark(self) -> None:
        if ids := self._unmarked[:]:
            await self._database.run(_PUBLISHED, ids=ids)
            del self._unmarked[: len(ids)]

    async def publish_batch(self) -> int:
        """Publish up to a batch of what the outbox holds and mark what the bus took. Returns how many. Raises if it
        took none."""
        if not await self._database.run(_WAITING):
            return 0
        async with self._database.session() as session:
            rows = await _DUE.all(session)
            if not rows:
                return 0
            taken = await self._publish(
                [OutgoingMessage(str(row.event_id), row.name, row.envelope.encode()) for row in rows]
            )
            await _PUBLISHED.all(session, ids=[UUID(event_id) for event_id in taken])
            return len(taken)

    async def _publish(self, messages: Sequence[OutgoingMessage]) -> set[str]:
        async with asyncio.timeout(self._timeout):
            taken = await self._bus.publish(messages)
        if tracing.is_on():
            for message in messages:
                if message.event_id in taken:
                    self._trace(message)
        return taken

    def _trace(self, message: OutgoingMessage) -> None:
        """From when the transaction wrote it until the bus has it."""
        envelope = Envelope.model_validate_json(message.body)
        name, attributes = f"send {envelope.name}", tracing.message(envelope.name, envelope.id)
        began = envelope.occurred_at
        tracing.record(self._service, "PRODUCER", name, envelope.traceparent, attributes, began=began)


class Backlog(NamedTuple):
    """How many events wait, and for how long the oldest of them has."""

    waiting: int
    age: timedelta


async def backlog(database: Database) -> Backlog:
    ((count, oldest),) = await database.run(_BACKLOG)
    return Backlog(count, utcnow() - oldest if oldest else timedelta())
