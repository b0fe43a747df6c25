"""Two instances of notifications behind the gateway, and one of them dies."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.e2e.journeys import Journeys
from tests.support.people import Person, expect, register
from tests.support.stack import Stack
from tests.support.waiting import eventually

RECONNECT = 0.1
"""Seconds that a client waits before it opens its socket again."""


class Ear:
    """One of a person's sockets, opened again by `since` whenever it ends, as an app would do."""

    def __init__(self, url: str, person: Person) -> None:
        self._address = f"{url.replace('http', 'ws', 1)}/ws/notifications/"
        self._person = person
        self.heard: list[int] = []
        """Each `seq`, as it came."""
        self.opened = 0
        self.ready = asyncio.Event()

    async def listen(self) -> None:
        while True:
            with suppress(OSError, WebSocketException):
                await self._listen_once()
            self.ready.clear()
            await asyncio.sleep(RECONNECT)

    async def _listen_once(self) -> None:
        since = self.heard[-1] if self.heard else 0
        async with connect(f"{self._address}?since={since}", additional_headers=self._person.headers) as socket:
            async for text in socket:
                message: dict[str, Any] = orjson.loads(text)
                if message["type"] == "ready":
                    self.opened += 1
                    self.ready.set()
                else:
                    self.heard.append(message["seq"])


@contextmanager
def two_notifications(stack: Stack) -> Iterator[None]:
    """Beside the one, another; the gateway knows both."""
    with stack.another("notifications") as second:
        both = f"{stack.address('notifications')},{second}"
        with stack.restarted_with("gateway", NOTIFICATIONS_URL=both):
            yield


@pytest.mark.timeout(180)
async def test_when_one_of_two_instances_is_killed_every_client_hears_everything_once(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    client, worker = await register(http, "client"), await register(http, "worker")
    journeys = Journeys(client, worker, (await worker.offer())["id"])
    ears = [Ear(stack.url, person) for person in (client, worker) for _ in range(4)]
    with two_notifications(stack):
        listening = [asyncio.create_task(ear.listen()) for ear in ears]
        try:
            await asyncio.gather(*(asyncio.wait_for(ear.ready.wait(), 30) for ear in ears))
            running = asyncio.create_task(journeys.run(20, at_once=4))
            await eventually(lambda: _all_heard(ears, 10), within=30)

            stack.kill("notifications")
            await running

            # Each journey tells both of five things.
            await eventually(lambda: _all_heard(ears, 5 * 20), within=30)
            assert sum(ear.opened > 1 for ear in ears) > 0, "no socket was on the instance that was killed"
            assert sum(ear.opened == 1 for ear in ears) > 0, "no socket was on the other"
            for ear in ears:
                assert ear.heard == list(range(1, 5 * 20 + 1))
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
            await asyncio.to_thread(stack.start, "notifications")
    for person in (client, worker):
        assert len(expect(await person.get("/api/notifications/", limit=100), 200)["results"]) == 5 * 20


async def _all_heard(ears: list[Ear], count: int) -> bool:
    return all(len(ear.heard) >= count for ear in ears)
