"""The relay carries what transactions wrote to the outbox over to the bus, at least once."""

import asyncio
import logging
import random
from datetime import timedelta
from typing import Any, NamedTuple

import orjson
import structlog
from sqlalchemy import ARRAY, BigInteger, Row, any_, bindparam, func, select, update

from shared.background import woken
from shared.config import ServiceSettings
from shared.db import Database
from shared.db.base import utcnow
from shared.messaging.bus import Bus, OutgoingMessage
from shared.messaging.tables import OutboxRow
from shared.observability import tracing

BATCH = 100

log = structlog.get_logger()


_OUTBOX = OutboxRow.metadata.tables["outbox"].c
_DUE = (
    select(_OUTBOX.seq, _OUTBOX.event_id, _OUTBOX.name, _OUTBOX.envelope, _OUTBOX.created_at)
    .where(_OUTBOX.published_at.is_(None))
    .order_by(_OUTBOX.seq)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_PUBLISHED = (
    update(OutboxRow.metadata.tables["outbox"])
    .where(_OUTBOX.seq == any_(bindparam("seqs", type_=ARRAY(BigInteger))))
    .values(published_at=func.now())
)


class Relay:
    """Every instance of a service runs one. `SKIP LOCKED` shares the work; repeats are the inboxes' matter.

    It never remembers how far it came: transactions commit out of the order of `seq`, so a cursor would skip some.
    """

    def __init__(self, service: str, database: Database, bus: Bus, settings: ServiceSettings) -> None:
        self._service, self._database, self._bus = service, database, bus
        self._poll, self._timeout = settings.relay_poll, settings.publish_timeout
        self._back_off = settings.relay_back_off.total_seconds()
        self._back_off_max = settings.relay_back_off_max.total_seconds()
        self._work = asyncio.Event()

    def wake(self) -> None:
        """There is something to publish: called after each commit that wrote an event."""
        self._work.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        pause = self._back_off
        while True:
            self._work.clear()
            try:
                more = await self.publish_batch() == BATCH
                pause = self._back_off
            except Exception as error:
                level = logging.WARNING if pause == self._back_off else logging.DEBUG  # once an outage
                log.log(level, "relay_waits", error=repr(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
                pause = min(pause * 2, self._back_off_max)
                continue
            if not more:
                await woken(self._work, self._poll.total_seconds())

    async def publish_batch(self) -> int:
        """Publish up to a batch of what is due and mark what the bus took. Returns how many. Raises if it took none."""
        async with self._database.session() as session:
            connection = await session.connection()
            rows = (await connection.execute(_DUE)).all()
            if not rows:
                return 0
            messages = [OutgoingMessage(str(row.event_id), row.name, row.envelope.encode()) for row in rows]
            async with asyncio.timeout(self._timeout.total_seconds()):
                taken = await self._bus.publish(messages)
            seqs = [row.seq for row in rows if str(row.event_id) in taken]
            await connection.execute(_PUBLISHED, {"seqs": seqs})
            if tracing.is_on():
                for row in rows:
                    if str(row.event_id) in taken:
                        self._trace(row)
            return len(seqs)

    def _trace(self, row: Row[*tuple[Any, ...]]) -> None:
        """From when the transaction wrote it until the bus has it."""
        traceparent = orjson.loads(row.envelope).get("traceparent")
        name, attributes = f"send {row.name}", tracing.message(row.name, row.event_id)
        tracing.record(self._service, "PRODUCER", name, traceparent, attributes, began=row.created_at)


class Backlog(NamedTuple):
    """How many events wait, and for how long the oldest of them has."""

    waiting: int
    age: timedelta


async def backlog(database: Database) -> Backlog:
    async with database.session() as session:
        waiting = select(func.count(), func.min(_OUTBOX.created_at)).where(_OUTBOX.published_at.is_(None))
        count, oldest = (await (await session.connection()).execute(waiting)).one()
    return Backlog(count, utcnow() - oldest if oldest else timedelta())
