"""How long the relay waits while the bus is away."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from shared.ids import new_id
from shared.messaging import relay as module
from shared.messaging.bus import OutgoingMessage
from shared.messaging.relay import BATCH, Relay
from tests.unit.factories import settings

AWAY = ConnectionError("RabbitMQ is away")


class Stop(BaseException):
    """Ends the loop that otherwise never ends."""


class ScriptedRelay(Relay):
    """Each try to publish goes as the script says; its end ends the relay."""

    def __init__(self, script: Iterable[Exception | int]) -> None:
        nothing: Any = None
        super().__init__("orders", nothing, nothing, settings(relay_poll="1ms"))
        self.script: Iterator[Exception | int] = iter(script)

    async def publish_batch(self) -> int:
        outcome = next(self.script, Stop())
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    clockless = SimpleNamespace(
        Event=asyncio.Event, timeout=asyncio.timeout, get_running_loop=asyncio.get_running_loop, sleep=sleep
    )
    monkeypatch.setattr(module, "asyncio", clockless)
    return pauses


async def run(*script: Exception | int) -> None:
    with pytest.raises(Stop):
        await ScriptedRelay(script).run()


async def test_pauses_double_from_half_a_second_to_four(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda low, high: high))
    await run(*[AWAY] * 6)
    assert pauses == [0.5, 1, 2, 4, 4, 4]


async def test_pauses_are_jittered_by_up_to_half(pauses: list[float]) -> None:
    await run(*[AWAY] * 200)

    assert all(2 <= pause <= 4 for pause in pauses[3:])
    assert len({*pauses}) > 100


async def test_after_a_success_pauses_begin_anew(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda low, high: high))
    await run(AWAY, AWAY, AWAY, 1, AWAY, BATCH, AWAY)
    assert pauses == [0.5, 1, 2, 0.5, 0.5]


async def test_a_full_batch_is_followed_by_the_next_at_once(pauses: list[float]) -> None:
    relay = ScriptedRelay([BATCH, BATCH])
    relay._poll = 3600

    with pytest.raises(Stop):
        await asyncio.wait_for(relay.run(), 5)


class Bus:
    """Takes what it is told to take."""

    def __init__(self) -> None:
        self.away = False
        self.published: list[list[str]] = []

    async def publish(self, messages: Sequence[OutgoingMessage]) -> set[str]:
        if self.away:
            raise AWAY
        self.published.append([message.event_id for message in messages])
        return {message.event_id for message in messages}


class Handed(Relay):
    """With an outbox that is only looked into."""

    def __init__(self, bus: Bus) -> None:
        database: Any = Outbox()
        carrier: Any = bus
        super().__init__("orders", database, carrier, settings(relay_poll="1h", relay_back_off="1ms"))
        self.looks = 0

    async def publish_batch(self) -> int:
        self.looks += 1
        return 0


class Outbox:
    """A database that notes what is marked."""

    def __init__(self) -> None:
        self.marked: list[set[str]] = []
        self.away = False

    async def run(self, _: object, ids: Sequence[UUID]) -> None:
        if self.away:
            raise AWAY
        self.marked.append({str(id_) for id_ in ids})


def messages(count: int) -> list[OutgoingMessage]:
    return [OutgoingMessage(str(new_id()), "thing.sold", b"{}") for _ in range(count)]


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    await asyncio.sleep(0.01)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("count", [1, BATCH, 2 * BATCH + 1])
async def test_what_is_handed_over_is_published_and_marked_without_a_look_into_the_outbox(count: int) -> None:
    bus, told = Bus(), messages(count)
    relay = Handed(bus)
    async with running(relay):
        for message in told:
            relay.hand_over(message)
        await asyncio.sleep(0.05)
    database: Any = relay._database
    assert [id_ for batch in bus.published for id_ in batch] == [message.event_id for message in told]
    assert max(map(len, bus.published)) <= BATCH
    assert database.marked == [{*batch} for batch in bus.published]
    assert relay.looks == 1  # when it began


async def test_after_an_outage_the_outbox_tells_what_is_left_and_nobody_keeps_it_twice() -> None:
    bus = Bus()
    relay = Handed(bus)
    bus.away = True
    async with running(relay):
        relay.hand_over(messages(1)[0])
        await asyncio.sleep(0.05)
        assert relay._committed == []
        assert relay.looks >= 2
        bus.away = False
        (later,) = messages(1)
        relay.hand_over(later)
        await asyncio.sleep(0.05)
    assert bus.published == [[later.event_id]]


async def test_what_is_published_at_short_intervals_is_marked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARK_PAUSE", 3600)
    bus, told = Bus(), messages(3)
    relay = Handed(bus)
    database: Any = relay._database
    async with running(relay):
        for message in told:
            relay.hand_over(message)
            await asyncio.sleep(0.01)
        assert len(bus.published) == 3
        assert database.marked == []
        relay.look()  # which must not find what is published
        await asyncio.sleep(0.01)
        assert database.marked == [{message.event_id for message in told}]
        assert relay.looks == 2


async def test_who_stops_marks_what_is_published() -> None:
    bus, told = Bus(), messages(1)
    relay = Handed(bus)
    database: Any = relay._database
    async with running(relay):
        relay.hand_over(told[0])
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)
    assert database.marked == [{told[0].event_id}]


async def test_a_mark_that_fails_is_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARK_PAUSE", 0.001)
    bus, told = Bus(), messages(2)
    relay = Handed(bus)
    database: Any = relay._database
    database.away = True
    async with running(relay):
        relay.hand_over(told[0])
        await asyncio.sleep(0.02)
        assert database.marked == []
        database.away = False
        relay.hand_over(told[1])
        await asyncio.sleep(0.05)
    assert set().union(*database.marked) >= {told[0].event_id}
