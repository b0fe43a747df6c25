"""One service in this process on two databases, a small and a large one, and the same requests to both in turn."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
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
    small: float
    large: float
    """Both the median, in milliseconds."""
    goal: Goal | None

    @property
    def growth(self) -> float:
        return self.large / self.small

    @property
    def missed(self) -> bool:
        if self.goal == Goal.GROWTH:
            return self.growth > GROWTH
        return self.goal == Goal.ANSWER and self.large >= ANSWER_MS


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


async def measure(name: str, urls: tuple[str, str], asked: tuple[Requests, Requests], rounds: int) -> dict[str, Figure]:
    """The same of both databases of the service `name`, small and large by turns: what else goes on meets both."""
    found = {}
    async with serving(name, urls[0]) as small, serving(name, urls[1]) as large:
        for what, of_small in asked[0].items():
            draw = asked[1][what].draw
            both = [(await get(small, of_small.draw()), await get(large, draw())) for _ in range(WARM_UP + rounds)]
            in_small, in_large = (median(each) for each in zip(*both[WARM_UP:], strict=True))
            figure = found[what] = Figure(in_small, in_large, of_small.goal)
            print(f"bench: {what}: {figure.small:.1f} ms, {figure.large:.1f} ms", file=sys.stderr, flush=True)
    return found


def print_table(columns: Iterable[str], found: Mapping[str, Figure]) -> None:
    print(f"| p50, ms | {' | '.join(columns)} | growth | goal | |\n|---|--:|--:|--:|---|---|")
    for name, figure in found.items():
        times = f"{figure.small:.1f} | {figure.large:.1f} | {figure.growth:.2f}"
        print(f"| {name} | {times} | {figure.goal or ''} | {'**missed**' if figure.missed else ''} |")
