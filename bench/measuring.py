"""One service in this process on several databases, a small to a large one, and the same requests to each in turn."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.registry import service_app, service_settings
from shared.http.server import Server, listen, server_config
from shared.messaging.local import LocalBus, LocalHub
from tests.unit.factories import access_token, jwk

DEPTH = 10_000
"""Where a page is deep: so many rows into its list, or halfway through a shorter one."""
WARM_UP = 5
GROWTH = 1.5
ANSWER_MS = 50.0


class Goal(StrEnum):
    GROWTH = f"at most {GROWTH} times as long"
    ANSWER = f"under {ANSWER_MS:g} ms"


class Get(NamedTuple):
    address: str
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Asked:
    draw: Callable[[], Get]
    """A request with values drawn anew."""
    goal: Goal | None = None


Requests = Mapping[str, Asked]
"""By the name of what is measured."""


@dataclass(frozen=True)
class Figure:
    times: Sequence[float]
    """The medians, in milliseconds, from the smallest database to the largest."""
    goal: Goal | None

    @property
    def growth(self) -> float:
        return self.times[-1] / self.times[0]

    @property
    def missed(self) -> bool:
        if self.goal == Goal.GROWTH:
            return self.growth > GROWTH
        return self.goal == Goal.ANSWER and self.times[-1] >= ANSWER_MS


KEY = Ed25519PrivateKey.generate()


def trust(url: str) -> None:
    """Let the service that starts on this database verify tokens by `KEY`: as if accounts had told it and went away."""
    with psycopg.connect(url, autocommit=True) as connection:
        told = json.dumps({"keys": [jwk(KEY, "k1")]})
        connection.execute("DELETE FROM key_cache")
        connection.execute("INSERT INTO key_cache (id, jwks, fetched_at) VALUES (1, %s, now())", [told])


def as_user(role: str, id_: UUID) -> dict[str, str]:
    """The headers of someone's request."""
    token = access_token(KEY, role=role, sub=str(id_), exp=int(time.time()) + 86_400)
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(name: str, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, which nobody is beside."""
    sock = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings: dict[str, Any] = {"env": "development", "rabbitmq_url": None, "rate_limit_scale": 1_000_000}
    own = service_settings(name, **settings, database_url=database_url)
    trust(database_url)
    app = service_app(name, own, LocalBus(LocalHub(), name))
    server = Server(server_config(app))
    running = asyncio.create_task(server.serve([sock]))
    await server.started_up(running)
    while not app.state.platform.authenticator.keys.known:
        await asyncio.sleep(0.05)
    try:
        async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


async def get(http: httpx.AsyncClient, request: Get) -> float:
    """Milliseconds of one request."""
    began = time.perf_counter()
    answer = await http.get(request.address, headers=request.headers)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != httpx.codes.OK:
        sys.exit(f"bench: {request.address} was answered {answer.status_code}: {answer.text[:300]}")
    return took


async def measure(name: str, urls: Sequence[str], asked: Sequence[Requests], rounds: int) -> dict[str, Figure]:
    """The same of all databases of the service `name`, by turns: what else goes on meets each."""
    found = {}
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(serving(name, url)) for url in urls]
        for what, first in asked[0].items():
            draws = [requests[what].draw for requests in asked]
            rows = [
                [await get(http, draw()) for http, draw in zip(clients, draws, strict=True)]
                for _ in range(WARM_UP + rounds)
            ]
            figure = found[what] = Figure([median(each) for each in zip(*rows[WARM_UP:], strict=True)], first.goal)
            told = ", ".join(f"{time:.1f}" for time in figure.times)
            print(f"bench: {what}: {told} ms", file=sys.stderr, flush=True)
    return found


def table(columns: Iterable[str], found: Mapping[str, Figure]) -> str:
    names = [*columns]
    lines = [f"| p50, ms | {' | '.join(names)} | growth | goal | |", f"|---|{'--:|' * len(names)}--:|---|---|"]
    for name, figure in found.items():
        times = " | ".join(f"{time:.1f}" for time in figure.times)
        missed = "**missed**" if figure.missed else ""
        lines.append(f"| {name} | {times} | {figure.growth:.2f} | {figure.goal or ''} | {missed} |")
    return "\n".join(lines)
