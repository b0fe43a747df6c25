"""Whether the time of a refused login tells if the e-mail is known: an unknown one against a wrong password.

    python -m bench.logins [--rounds 200]

Measured in alternation over HTTP against accounts alone, on a PostgreSQL of its own, with one login at a time. The
limits are as in life, but raised.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

import httpx

from marketplace.registry import service_app, service_settings
from shared.http.server import Server, event_loop_factory, listen, server_config
from shared.messaging.local import LocalBus, LocalHub
from shared.observability.logging import configure_logging
from tests.support.people import register
from tests.support.process import NoServer
from tests.support.servers import postgres_server
from tests.support.stack import provisioned_urls

WARM_UP = 10
"""Logins of each kind."""


@asynccontextmanager
async def accounts(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of accounts, which serves in this process."""
    sock = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings: dict[str, Any] = {"env": "development", "rabbitmq_url": None, "rate_limit_scale": 1_000_000}
    own = service_settings("accounts", **settings, database_url=database_url, accounts_url=address)
    server = Server(server_config(service_app("accounts", own, LocalBus(LocalHub(), "accounts"))))
    running = asyncio.create_task(server.serve([sock]))
    await server.started_up(running)
    try:
        async with httpx.AsyncClient(base_url=address, timeout=30, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


async def refused_login(http: httpx.AsyncClient, email: str) -> float:
    """Milliseconds until it was refused."""
    began = time.perf_counter()
    answer = await http.post("/api/auth/login/", json={"email": email, "password": "a wrong password"})
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 401:
        sys.exit(f"bench: a login was answered {answer.status_code}: {answer.text[:300]}")
    return took


async def measure(database_url: str, rounds: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"unknown e-mail": [], "wrong password": []}
    async with accounts(database_url) as http:
        known = (await register(http, "client")).login["user"]["email"]
        for number in range(WARM_UP + rounds):
            emails = {"unknown e-mail": f"{uuid4()}@example.com", "wrong password": known}
            # Each comes first in every other round: whatever the first of two costs is shared.
            for name in sorted(emails, reverse=number % 2 == 1):
                ms = await refused_login(http, emails[name])
                if number >= WARM_UP:
                    took[name].append(ms)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    configure_logging("ERROR", "console")
    try:
        with postgres_server(own_process=True) as postgres:
            url = provisioned_urls(postgres.admin_url)["accounts"]
            with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
                took = runner.run(measure(url, args.rounds))
    except NoServer as error:
        sys.exit(f"bench: {error}")

    print("| refused login | p5 ms | p50 ms | p95 ms | logins |\n|---|--:|--:|--:|--:|")
    for name, each in took.items():
        parts = quantiles(each, n=20)
        print(f"| {name} | {parts[0]:.2f} | {median(each):.2f} | {parts[18]:.2f} | {len(each)} |")
    unknown, wrong = (median(each) for each in took.values())
    print(f"\nunknown e-mail / wrong password, of the medians: {unknown / wrong:.3f}")


if __name__ == "__main__":
    main()
