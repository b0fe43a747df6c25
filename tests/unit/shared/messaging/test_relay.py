"""How long the relay waits while the bus is away."""

import asyncio
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from shared.messaging import relay as module
from shared.messaging.relay import BATCH, Relay
from tests.unit.factories import settings

AWAY = ConnectionError("RabbitMQ is away")


class Stop(BaseException):
    """Ends the loop that otherwise never ends."""


class ScriptedRelay(Relay):
    """Each try to publish goes as the script says; its end ends the relay."""

    def __init__(self, script: Iterable[Exception | int]) -> None:
        nothing: Any = None
        super().__init__("orders", nothing, nothing, settings(relay_poll="1h"))
        self.script: Iterator[Exception | int] = iter(script)

    async def publish_batch(self) -> int:
        outcome = next(self.script, Stop())
        if isinstance(outcome, BaseException):
            raise outcome
        self.wake()
        return outcome


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    clockless = SimpleNamespace(Event=asyncio.Event, timeout=asyncio.timeout, sleep=sleep)
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
    relay.wake = lambda: None  # type: ignore[method-assign] # nobody wakes it

    with pytest.raises(Stop):
        await asyncio.wait_for(relay.run(), 5)
