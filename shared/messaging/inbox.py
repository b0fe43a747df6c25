"""The inbox lets each event take effect once, and tries again what failed: the same under both buses.

Events that a service handles in batches are gathered while the batch before is at work, and take effect in one
transaction. Where that fails they are handled one by one, so that one poison event is only its own matter.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, NamedTuple

import structlog
from sqlalchemy import String, Uuid, func, literal, tuple_, update
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts import Envelope
from shared.db import Database, Session, after_commit
from shared.db.base import utcnow
from shared.db.given import given, given_rows
from shared.db.statements import Statement
from shared.messaging.bus import Subscriptions, Undeliverable
from shared.messaging.tables import InboxRow
from shared.observability import tracing
from shared.observability.context import current_traceparent, set_request_id
from shared.observability.logging import said_of
from shared.observability.metrics import EVENT_LAG, EVENTS

HANDLERS_AT_ONCE = 4
"""Fewer than the connections of the pool, so that a flood of events leaves some to requests."""

AT_ONCE = 20
BATCH = 100
BUSY = 40.0
"""Events a second, from which on a batch gathers for `BUSY_PAUSE`: a transaction costs more than an event, so a busy
service makes fewer and fuller ones. One that is not lets nobody wait."""
BUSY_PAUSE = 0.05
"""Seconds from the beginning of a batch to that of the next, unless a whole one waits."""

log = structlog.get_logger()


DONE: Mapping[str, object] = {"state": "done", "envelope": None, "error": None, "next_at": None}


_IS_KEPT = col(InboxRow.state) == "retry"
_CLAIM_ALL = Statement[Any](
    insert(InboxRow.metadata.tables["inbox"])
    .from_select(
        ["event_id", "subscription", "state", "attempts"],
        rows_of(*given_rows(event_id=Uuid, subscription=String).c, literal("done"), literal(0)),
    )
    .on_conflict_do_nothing()
    .returning(col(InboxRow.event_id))
)
_UNTIL_DUE = Statement[Any](rows_of((func.min(InboxRow.next_at) - func.now()).label("wait")).where(_IS_KEPT))


class _Delivery(NamedTuple):
    envelope: Envelope
    outcome: asyncio.Future[None]


class _Rate:
    """Events a second of late: each counts for less the longer ago it came, after a second for 1/e."""

    def __init__(self) -> None:
        self._count, self._at = 0.0, 0.0

    def add(self, events: int, now: float) -> float:
        """The rate with so many that come now."""
        self._count = self._count * math.exp(self._at - now) + events
        self._at = now
        return self._count


class Inbox:
    def __init__(
        self, service: str, database: Database, subscriptions: Subscriptions, settings: ServiceSettings
    ) -> None:
        self._service, self._database, self._subscriptions = service, database, subscriptions
        self._delays, self._poll = settings.retry_delays, settings.inbox_poll
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(HANDLERS_AT_ONCE)
        self._gathered: deque[_Delivery] = deque()
        self._is_full = asyncio.Event()
        self._batches: asyncio.Task[None] | None = None
        self._rate = _Rate()

    @property
    def at_once(self) -> int:
        """Of what is handled in batches, one that is at work and one that gathers meanwhile."""
        return 2 * BATCH if self._subscriptions.batched else AT_ONCE

    async def receive(self, envelope: Envelope) -> None:
        """Claim the event and handle it in one transaction; a repeat does nothing.

        When this returns, the event is done, or kept to be retried, or dead: the carrier may forget it. Raises
        `Unavailable` where the database can't say, and the carrier must deliver it again.
        """
        if envelope.name in self._subscriptions.batched:
            await self._receive_with_others(envelope)
        else:
            await self._receive_alone(envelope)

    async def _receive_with_others(self, envelope: Envelope) -> None:
        delivery = _Delivery(envelope, asyncio.get_running_loop().create_future())
        self._gathered.append(delivery)
        if len(self._gathered) >= BATCH:
            self._is_full.set()
        if self._batches is None:
            self._batches = asyncio.create_task(self._receive_batches())
        await delivery.outcome

    async def _receive_batches(self) -> None:
        """Handle what is gathered, batch after batch, until nothing is."""
        now = asyncio.get_running_loop().time
        try:
            while self._gathered:
                batch = [self._gathered.popleft() for _ in range(min(BATCH, len(self._gathered)))]
                next_at = now() + self._pause(len(batch), now())
                # By their ids, which sort by time: events come from several queues. And two instances that are given
                # the same ones claim them in the same order.
                batch.sort(key=lambda delivery: delivery.envelope.id)
                await self._receive_batch(batch)
                if len(self._gathered) < BATCH:
                    self._is_full.clear()
                    await woken(self._is_full, next_at - now())
        finally:
            self._batches = None

    def _pause(self, events: int, now: float) -> float:
        """Seconds from the beginning of a batch of so many to that of the next."""
        is_busy = self._rate.add(events, now) >= BUSY
        return max(self._subscriptions.patience.total_seconds(), BUSY_PAUSE if is_busy else 0.0)

    async def _receive_batch(self, batch: Sequence[_Delivery]) -> None:
        try:
            async with self._slots, self._database.session() as session:
                claimed = await self._claim_all(session, [delivery.envelope for delivery in batch])
                with self._all_traced(claimed) as traced:
                    await self._subscriptions.handle_batch(session, traced)
                self._count(session, claimed, "done")
        except Exception as error:
            log.info("batch_is_handled_one_by_one", events=len(batch), error=repr(error))
            await self._receive_one_by_one(batch)
        else:
            for delivery in batch:
                _end(delivery, None)

    async def _receive_one_by_one(self, batch: Sequence[_Delivery]) -> None:
        away: Exception | None = None
        for delivery in batch:
            if away is None:  # else the database is, and the rest need not find that out for themselves
                try:
                    await self._receive_alone(delivery.envelope)
                except Exception as error:
                    away = error
            _end(delivery, away)

    async def _receive_alone(self, envelope: Envelope) -> None:
        set_request_id(envelope.correlation_id)
        async with self._slots:
            try:
                async with self._database.session() as session:
                    if await self._claim(session, envelope):
                        with self._traced(envelope):
                            await self._subscriptions.handle(session, envelope)
                        self._count(session, [envelope], "done")
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
                pause = await self._until_due()
                if pause <= 0:
                    while await self._handle_due_batch() or await self._handle_due():
                        pass
                    # What is still due is in the hands of another instance.
                    pause = max(0.01, await self._until_due())
            except Exception as error:
                log.warning("inbox_waits", error=repr(error))
                pause = 1.0
            await woken(self._work, pause)

    async def _claim(self, session: Session, envelope: Envelope) -> bool:
        return bool(await self._claim_all(session, [envelope]))

    async def _claim_all(self, session: Session, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Returns those that are this transaction's to handle."""
        rows = [{"event_id": envelope.id, "subscription": envelope.name} for envelope in envelopes]
        # By RETURNING: psycopg reports -1 as rowcount here, whether a row was written or not.
        claimed = {row.event_id for row in await _CLAIM_ALL.all(session, **given(rows))}
        # An event that was delivered twice into one batch is claimed once.
        return [
            envelope
            for envelope in {envelope.id: envelope for envelope in envelopes}.values()
            if envelope.id in claimed
        ]

    def _row(self, envelope: Envelope) -> dict[str, object]:
        return {
            "event_id": envelope.id,
            "subscription": envelope.name,
            "attempts": 0,
            "envelope": envelope.model_dump_json(),
        }

    async def _keep(self, envelope: Envelope, error: Exception) -> None:
        async with self._database.session() as session:
            kept = self._row(envelope) | self._outcome(session, 1, envelope, error)
            await session.exec(insert(InboxRow).values(kept).on_conflict_do_nothing())
        self._work.set()

    async def _handle_due(self) -> bool:
        """Take one due event and handle it. The row stays locked meanwhile, so no other instance takes it too."""
        async with self._slots, self._database.session() as session:
            row = (await session.exec(_due().limit(1))).first()
            if row is None:
                return False
            await self._handle_row(session, row)
            return True

    async def _handle_due_batch(self) -> bool:
        """As `_handle_due`, of what is handled in batches and was not tried yet."""
        if not (batched := self._subscriptions.batched):
            return False
        untried = _due().where(col(InboxRow.subscription).in_(batched), InboxRow.attempts == 0)
        async with self._slots, self._database.session() as session:
            rows = (await session.exec(untried.order_by(col(InboxRow.event_id)).limit(BATCH))).all()
            if not rows:
                return False
            envelopes = [_envelope_of(row) for row in rows]
            try:
                async with _all_or_nothing(session):
                    with self._all_traced(envelopes) as traced:
                        await self._subscriptions.handle_batch(session, traced)
            except Exception as error:
                log.info("batch_is_handled_one_by_one", events=len(rows), error=repr(error))
                for row in rows:
                    await self._handle_row(session, row)
            else:
                await self._set(session, rows, DONE)
                self._count(session, envelopes, "done")
            return True

    async def _handle_row(self, session: Session, row: InboxRow) -> None:
        """Handle one event, and write down how that went."""
        envelope = _envelope_of(row)
        set_request_id(envelope.correlation_id)
        try:
            async with _all_or_nothing(session):
                with self._traced(envelope):
                    await self._subscriptions.handle(session, envelope)
            outcome = DONE
            self._count(session, [envelope], "done")
        except Exception as error:
            outcome = self._outcome(session, row.attempts + 1, envelope, error)
        await self._set(session, [row], outcome)

    async def _set(self, session: Session, rows: Collection[InboxRow], outcome: Mapping[str, object]) -> None:
        keys = [(row.event_id, row.subscription) for row in rows]
        these = tuple_(col(InboxRow.event_id), col(InboxRow.subscription)).in_(keys)
        done = update(InboxRow).where(these).values(outcome)
        await session.exec(done.execution_options(synchronize_session=False))

    def _outcome(self, session: Session, attempts: int, envelope: Envelope, error: Exception) -> dict[str, object]:
        """What the row says after the `attempts`-th failure: when to try again, or that it is dead."""
        values: dict[str, object] = {"attempts": attempts, "error": said_of(error)[:2000]}
        where = {"event_name": envelope.name, "event_id": str(envelope.id), "attempts": attempts}
        if isinstance(error, Undeliverable) or attempts > len(self._delays):
            log.error("event_is_dead", **where, exc_info=error)
            self._count(session, [envelope], "dead")
            return values | {"state": "dead", "next_at": None}
        delay = self._delays[attempts - 1]
        log.warning("event_is_retried", **where, delay=delay.total_seconds(), exc_info=error)
        self._count(session, [envelope], "retry")
        return values | {"state": "retry", "next_at": func.now() + delay}

    async def _until_due(self) -> float:
        """Seconds until something is due, at most a poll's length; not above 0 where something is."""
        (first,) = await self._database.run(_UNTIL_DUE)
        wait = self._poll if first.wait is None else min(self._poll, first.wait)
        return wait.total_seconds()

    def _traced(self, envelope: Envelope) -> AbstractContextManager[object]:
        attributes = tracing.message(envelope.name, envelope.id, envelope.correlation_id)
        return tracing.span(self._service, "CONSUMER", f"process {envelope.name}", envelope.traceparent, attributes)

    @contextmanager
    def _all_traced(self, envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
        """The envelopes, each with the handling of it as its place in its trace."""
        if not tracing.is_on():
            yield envelopes
            return
        with ExitStack() as spans:
            traced = []
            for envelope in envelopes:
                spans.enter_context(self._traced(envelope))
                traced.append(envelope.model_copy(update={"traceparent": current_traceparent()}))
            yield traced

    def _count(self, session: Session, envelopes: Sequence[Envelope], outcome: str) -> None:
        """Once the transaction is committed: what is rolled back did not happen."""
        after_commit(session, partial(self._counted, envelopes, outcome))

    def _counted(self, envelopes: Sequence[Envelope], outcome: str) -> None:
        for envelope in envelopes:
            EVENTS.labels(self._service, envelope.name, outcome).inc()
            if outcome == "done":
                lag = (utcnow() - envelope.occurred_at).total_seconds()
                EVENT_LAG.labels(self._service, envelope.name).observe(max(0.0, lag))  # clocks of two machines differ
                log.info(
                    "event_handled",
                    service=self._service,
                    event_name=envelope.name,
                    event_id=str(envelope.id),
                    request_id=envelope.correlation_id,
                    lag_ms=round(lag * 1000, 1),
                )


def _due() -> SelectOfScalar[InboxRow]:
    due = select(InboxRow).where(_IS_KEPT, col(InboxRow.next_at) <= func.now())
    return due.order_by(col(InboxRow.next_at)).with_for_update(skip_locked=True)


@asynccontextmanager
async def _all_or_nothing(session: Session) -> AsyncIterator[None]:
    """A savepoint: of what fails neither the writes stay, nor what was to follow the commit."""
    callbacks = [*session.info.get("after_commit", ())]
    try:
        async with session.begin_nested():
            yield
    except BaseException:
        session.info["after_commit"] = callbacks
        raise


def _envelope_of(row: InboxRow) -> Envelope:
    return Envelope.model_validate_json(row.envelope or "")


def _end(delivery: _Delivery, error: Exception | None) -> None:
    if delivery.outcome.done():
        return  # whoever waited for it has been cancelled
    if error:
        delivery.outcome.set_exception(error)
    else:
        delivery.outcome.set_result(None)
