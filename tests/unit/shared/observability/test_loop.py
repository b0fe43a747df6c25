"""What holds up the event loop is seen, however short it was."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from shared.observability import loop


async def test_a_loop_that_was_held_up_says_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVERY", 0.01)

    def lateness() -> tuple[float, float]:
        name = "marketplace_loop_lag_seconds"
        return REGISTRY.get_sample_value(f"{name}_count") or 0, REGISTRY.get_sample_value(f"{name}_sum") or 0

    count, late = lateness()
    watch = asyncio.create_task(loop.watch_loop())
    await asyncio.sleep(0)
    time.sleep(0.2)  # what no coroutine should do
    while lateness()[0] == count:
        await asyncio.sleep(0.01)
    watch.cancel()

    assert lateness()[1] - late > 0.1
