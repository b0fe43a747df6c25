"""Clients who go on calling at an even pace, whatever becomes of the system, and note what they could not ask again."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import httpx

from tests.support.people import Person

RATE = 100
"""Calls a second."""
AT_ONCE = 20
"""Calls under way, so that a busy machine makes them fewer and not slower."""


class Call(NamedTuple):
    by: Person
    method: str
    path: str
    body: Any = None


@dataclass
class Load:
    """Reads at every service, and changes that nobody may make twice: none has an Idempotency-Key."""

    client: Person
    worker: Person
    service_id: str
    gateways: Sequence[str]
    answered: Counter[str] = field(default_factory=Counter)
    """Method and path of calls that had their effect."""
    refused: Counter[str] = field(default_factory=Counter)
    """Those of calls that had none, and whose answer says when to come again, and why."""
    broken: list[str] = field(default_factory=list)
    """All other calls, after which a client does not know what to do."""
    _unpaid: deque[str] = field(default_factory=deque)

    @asynccontextmanager
    async def offered(self) -> AsyncIterator[None]:
        """While this lasts; at its end every call has been answered."""
        # What is kept is used again within a second: it never crosses the end of a connection that a server gives up.
        limits = httpx.Limits(keepalive_expiry=1)
        async with AsyncExitStack() as stack:
            doors = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False)
                )
                for url in self.gateways
            ]
            calling = asyncio.create_task(self._call_on(doors))
            try:
                yield
            finally:
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)

    async def passed(self, calls: int) -> None:
        """Return once so many more calls have had their effect at each path."""
        before = Counter(self.answered)
        while len(before) < 10 or any(self.answered[path] < before[path] + calls for path in before):
            assert not self.broken, self.broken[:5]
            await asyncio.sleep(0.05)
            before |= Counter({path: self.answered[path] for path in self.answered.keys() - before.keys()})

    async def _call_on(self, doors: Sequence[httpx.AsyncClient]) -> None:
        under_way: set[asyncio.Task[None]] = set()
        now = asyncio.get_running_loop().time
        next_at = now()
        try:
            for turn, call in enumerate(self._calls()):
                first = turn % len(doors)
                under_way.add(asyncio.create_task(self._make(call, doors[first:] + doors[:first])))
                if len(under_way) >= AT_ONCE:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                under_way = {task for task in under_way if not task.done()}
                next_at = max(next_at + 1 / RATE, now())
                await asyncio.sleep(next_at - now())
        finally:
            await asyncio.gather(*under_way)

    def _calls(self) -> Iterator[Call]:
        wish = {"service_id": self.service_id, "address": "1 Navoi St"}
        offer = f"/api/services/{self.service_id}/"
        for turn in count():
            yield Call(self.client, "GET", "/api/users/me/")
            yield Call(self.client, "PATCH", f"/api/users/{self.client.id}/", {"full_name": f"Client {turn}"})
            yield Call(self.client, "GET", offer)
            yield Call(self.worker, "PATCH", offer, {"description": f"For the {turn}th time."})
            yield Call(self.client, "POST", "/api/orders/create/", wish)
            yield Call(self.client, "GET", "/api/orders/")
            if self._unpaid:
                yield Call(
                    self.client, "POST", f"/api/payments/order/{self._unpaid.popleft()}/pay/", {"method": "click"}
                )
            yield Call(self.client, "GET", "/api/payments/")
            yield Call(self.client, "GET", "/api/notifications/")
            yield Call(self.client, "PUT", "/api/notifications/preferences/", {"preferences": {}})

    async def _make(self, call: Call, doors: Sequence[httpx.AsyncClient]) -> None:
        name = f"{call.method} {call.path}" if "/pay/" not in call.path else "POST pay"
        try:
            answer = await _sent(call, doors)
        except httpx.TransportError as error:
            self.broken.append(f"{name}: {error!r}")
            return
        if answer.is_success:
            self.answered[name] += 1
            if call.path == "/api/orders/create/":
                self._unpaid.append(answer.json()["id"])
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "retry-after" in answer.headers:
            self.refused[f"{name}: {answer.json()['detail']}"] += 1
        else:
            self.broken.append(f"{name}: {answer.status_code} {answer.text}")


async def _sent(call: Call, doors: Sequence[httpx.AsyncClient]) -> httpx.Response:
    """By the first door that opens: where there was no connection, nothing was sent."""
    for door in doors[:-1]:
        try:
            return await _send(call, door)
        except httpx.ConnectError:
            pass
    return await _send(call, doors[-1])


async def _send(call: Call, door: httpx.AsyncClient) -> httpx.Response:
    return await door.request(call.method, call.path, json=call.body, headers=call.by.headers)
