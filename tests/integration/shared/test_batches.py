"""Events that a service handles several at once: all in one transaction, each once, and a poison one is alone."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from marketplace.registry import service_settings
from shared.contracts import Envelope
from shared.contracts.accounts import UserRegistered
from shared.db import Session, after_commit
from shared.errors import Unavailable
from shared.messaging import inbox as module
from shared.messaging.bus import Received, Subscriptions
from shared.messaging.inbox import Inbox
from shared.messaging.local import LocalBus, LocalHub
from shared.messaging.tables import InboxRow
from shared.platform import Platform
from tests.integration.conftest import SETTINGS
from tests.support.events import someone
from tests.support.waiting import eventually

INSERT = "INSERT INTO workers (id, full_name, is_active, is_confirmed, version) VALUES (:id, '', true, false, 1)"


class Handler:
    """Writes each user down; those who are poison make what they are handled in fail."""

    def __init__(self) -> None:
        self.batches: list[list[UUID]] = []
        self.told: list[UUID] = []
        self.poison: set[UUID] = set()

    async def __call__(self, session: Session, received: Sequence[Received]) -> None:
        ids = [event.user.id for event, _ in received]
        self.batches.append(ids)
        for user_id in ids:
            await session.exec(text(INSERT).bindparams(id=user_id))
        after_commit(session, lambda: self.told.extend(ids))
        if self.poison & {*ids}:
            raise RuntimeError("poison")


@pytest.fixture
def handler() -> Handler:
    return Handler()


def subscriptions(handler: Handler) -> Subscriptions:
    made = Subscriptions()
    made.subscribe_batch(handler, UserRegistered)
    return made


def envelopes(count: int) -> list[Envelope]:
    return [
        Envelope(
            id=user.id,
            name="user.registered",
            version=1,
            occurred_at="2026-01-01T00:00:00Z",
            producer="accounts",
            correlation_id="c",
            data={"user": user.model_dump(mode="json")},
        )
        for user in (someone() for _ in range(count))
    ]


async def state_of(platform: Platform, envelope: Envelope) -> tuple[str, int]:
    async with platform.database.session() as session:
        row = await session.get_one(InboxRow, (envelope.id, envelope.name))
        return row.state, row.attempts


async def written(platform: Platform, told: Sequence[Envelope]) -> set[UUID]:
    async with platform.database.session() as session:
        those = text("SELECT id FROM workers WHERE id = ANY(:ids)").bindparams(ids=[envelope.id for envelope in told])
        rows = await session.exec(those)
        return {user_id for (user_id,) in rows}


@pytest.fixture
async def catalog(databases: dict[str, str], handler: Handler) -> AsyncIterator[Platform]:
    """Not running: whatever its inbox does, the test has asked for."""
    settings = service_settings("catalog", **SETTINGS, database_url=databases["catalog"])
    platform = Platform("catalog", settings, subscriptions(handler), LocalBus(LocalHub(), "catalog"))
    yield platform
    await platform.database.close()


async def test_what_has_gathered_is_handled_at_once_in_the_order_of_the_events(
    catalog: Platform, handler: Handler
) -> None:
    told = envelopes(30)

    await asyncio.gather(*(catalog.inbox.receive(envelope) for envelope in reversed(told)))

    assert handler.batches == [[envelope.id for envelope in told]]
    assert await written(catalog, told) == {envelope.id for envelope in told}
    assert {await state_of(catalog, envelope) for envelope in told} == {("done", 0)}


async def test_who_comes_first_waits_for_nobody_and_who_comes_next_for_others(
    catalog: Platform, handler: Handler
) -> None:
    catalog.inbox._subscriptions.patience = timedelta(seconds=0.2)
    first, *others = envelopes(4)

    await catalog.inbox.receive(first)
    began = time.monotonic()
    waiting = [asyncio.create_task(catalog.inbox.receive(others[0]))]
    await asyncio.sleep(0.02)
    waiting += [asyncio.create_task(catalog.inbox.receive(envelope)) for envelope in others[1:]]
    await asyncio.gather(*waiting)

    assert handler.batches == [[first.id], [envelope.id for envelope in others]]
    assert time.monotonic() - began > 0.1


async def test_a_whole_batch_waits_for_nobody(
    catalog: Platform, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    catalog.inbox._subscriptions.patience = timedelta(hours=1)
    first, *others = envelopes(21)

    await catalog.inbox.receive(first)
    waiting = [asyncio.create_task(catalog.inbox.receive(envelope)) for envelope in others[:9]]
    await asyncio.sleep(0.02)
    assert len(handler.batches) == 1
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting, *(catalog.inbox.receive(envelope) for envelope in others[9:]))

    assert [len(batch) for batch in handler.batches] == [1, 10, 10]


@pytest.mark.parametrize(("events_a_second", "pause"), [(20, 0), (100, module.BUSY_PAUSE)])
def test_a_busy_service_gathers(catalog: Platform, events_a_second: int, pause: float) -> None:
    pauses = [catalog.inbox._pause(1, number / events_a_second) for number in range(1000)]
    assert {*pauses[500:]} == {pause}


async def test_no_batch_is_larger_than_the_limit(
    catalog: Platform, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)

    await asyncio.gather(*(catalog.inbox.receive(envelope) for envelope in envelopes(25)))

    assert [len(batch) for batch in handler.batches] == [10, 10, 5]


async def test_a_repeat_in_a_batch_and_after_it_does_nothing(catalog: Platform, handler: Handler) -> None:
    told = envelopes(3)

    await asyncio.gather(*(catalog.inbox.receive(envelope) for envelope in told * 2))
    await catalog.inbox.receive(told[0])

    assert [*map(sorted, handler.batches)] == [sorted(envelope.id for envelope in told)]


async def test_instances_that_are_given_the_same_events_share_them(
    databases: dict[str, str], catalog: Platform, handler: Handler
) -> None:
    told = envelopes(60)
    settings = service_settings("catalog", **SETTINGS)
    inboxes = [Inbox("catalog", catalog.database, subscriptions(handler), settings) for _ in range(3)]

    await asyncio.gather(
        *(inbox.receive(e) for n, inbox in enumerate(inboxes) for e in told[20 * n :] + told[: 20 * n])
    )

    handled = [user_id for batch in handler.batches for user_id in batch]
    assert sorted(handled) == sorted(envelope.id for envelope in told)


async def test_a_poison_event_is_retried_alone_and_the_rest_of_its_batch_is_done(
    catalog: Platform, handler: Handler
) -> None:
    told = envelopes(10)
    handler.poison = {told[4].id}

    await asyncio.gather(*(catalog.inbox.receive(envelope) for envelope in told))

    good = {envelope.id for envelope in told} - handler.poison
    assert await written(catalog, told) == good == {*handler.told}
    states = [await state_of(catalog, envelope) for envelope in told]
    assert states == [("retry", 1) if n == 4 else ("done", 0) for n in range(10)]


async def test_what_can_never_work_is_dead_and_the_rest_of_its_batch_is_done(
    catalog: Platform, handler: Handler
) -> None:
    told = envelopes(3)
    strange = told[1].model_copy(update={"data": {"user": "no user at all"}})

    await asyncio.gather(*(catalog.inbox.receive(envelope) for envelope in (told[0], strange, told[2])))

    assert [(await state_of(catalog, envelope))[0] for envelope in told] == ["done", "dead", "done"]


async def test_while_the_database_is_away_all_have_to_be_delivered_again(
    catalog: Platform, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    @asynccontextmanager
    async def away() -> AsyncIterator[Session]:
        nonlocal tries
        tries += 1
        raise Unavailable("away")
        yield

    told = envelopes(50)
    with monkeypatch.context() as patch:
        patch.setattr(catalog.database, "session", away)
        outcomes = await asyncio.gather(*(catalog.inbox.receive(e) for e in told), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert tries < 5, "each of them found it out for itself"

    await asyncio.gather(*(catalog.inbox.receive(envelope) for envelope in told))
    assert await written(catalog, told) == {envelope.id for envelope in told}


async def test_who_stops_waiting_takes_nothing_from_the_others(catalog: Platform, handler: Handler) -> None:
    told = envelopes(5)
    waiting = [asyncio.create_task(catalog.inbox.receive(envelope)) for envelope in told]
    await asyncio.sleep(0)

    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])

    assert await written(catalog, told) == {envelope.id for envelope in told}


async def test_what_was_stored_is_handled_in_batches_too(catalog: Platform, handler: Handler) -> None:
    told = envelopes(20)
    handler.poison = {told[7].id}
    await catalog.inbox.store(told)

    running = asyncio.create_task(catalog.inbox.run())

    async def all_but_one() -> bool:
        return len(await written(catalog, told)) == 19

    async def dead() -> bool:
        return (await state_of(catalog, told[7]))[0] == "dead"

    await eventually(all_but_one)
    await eventually(dead)
    running.cancel()
    ids = [envelope.id for envelope in told]
    assert ids in handler.batches
    assert sorted({*ids}.intersection(handler.told)) == sorted({*ids} - handler.poison)
    assert max(Counter(handler.told).values()) == 1
