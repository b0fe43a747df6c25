"""How long after a client began to order it hears of it, through gateway, services and RabbitMQ.

    python -m bench.delay [--rate 20] [--seconds 30]

Every process on its own, orders offered at that rate however slowly they are answered; each client has a socket open.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import connect

from bench.stack import seeded_stack

GOAL_P50_MS, GOAL_P99_MS = 30.0, 150.0
WARM_UP = 3
"""Seconds of load before it counts."""
SETTLE = 10.0
"""Seconds that the last notification may take."""


async def hear(url: str, token: str, heard: dict[str, float]) -> None:
    """Note when each order is told of."""
    async with connect(f"{url}/ws/notifications/", additional_headers=_as(token), compression=None, proxy=None) as ws:
        async for text in ws:
            now, message = time.perf_counter(), orjson.loads(text)
            if message["type"] == "order_created":
                heard[message["data"]["order_id"]] = now


async def order(http: httpx.AsyncClient, token: str, service_id: str, began: dict[str, float]) -> None:
    start = time.perf_counter()
    wish = {"service_id": service_id, "address": "1 Navoi St"}
    answer = await http.post("/api/orders/create/", json=wish, headers=_as(token))
    if answer.status_code != httpx.codes.CREATED:
        sys.exit(f"bench: an order was answered {answer.status_code}: {answer.text[:300]}")
    began[answer.json()["id"]] = start


async def measure(fixture: Mapping[str, Any], rate: int, seconds: float) -> list[float]:
    """Delays in milliseconds, sorted."""
    tokens, services = fixture["client_tokens"], fixture["service_ids"]
    heard: dict[str, float] = {}
    warm: dict[str, float] = {}
    began: dict[str, float] = {}
    async with (
        asyncio.TaskGroup() as group,
        httpx.AsyncClient(base_url=fixture["base_url"], timeout=30, trust_env=False) as http,
    ):
        ears = [group.create_task(hear(fixture["ws_url"], token, heard)) for token in tokens]
        await asyncio.sleep(1)  # until all sockets are open
        for notes, length in ((warm, WARM_UP), (began, seconds)):
            start, sent, orders = time.perf_counter(), 0, []
            while (passed := time.perf_counter() - start) < length:
                while sent < passed * rate:
                    wish = order(http, tokens[sent % len(tokens)], services[sent % len(services)], notes)
                    orders.append(group.create_task(wish))
                    sent += 1
                await asyncio.sleep(0.002)
            await asyncio.gather(*orders)
        deadline = time.perf_counter() + SETTLE
        while not began.keys() <= heard.keys() and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        for ear in ears:
            ear.cancel()
    if missing := began.keys() - heard.keys():
        sys.exit(f"bench: nobody heard of {len(missing)} of {len(began)} orders")
    return sorted(1000 * (heard[id_] - start) for id_, start in began.items())


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"rate": 20, "seconds": 30}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fixture.json")
        with seeded_stack(path, RATE_LIMIT_SCALE="1000000", LOG_LEVEL="WARNING"):
            late = asyncio.run(measure(json.loads(path.read_text()), args.rate, args.seconds))
    cuts = quantiles(late, n=100)
    print(f"{len(late)} orders, {args.rate} a second, from the POST's beginning to the client's socket\n")
    print("| order_created, ms | | goal: under |\n|---|--:|--:|")
    print(f"| p50 | {cuts[49]:.1f} | {GOAL_P50_MS:g} |\n| p90 | {cuts[89]:.1f} | |")
    print(f"| p99 | {cuts[98]:.1f} | {GOAL_P99_MS:g} |\n| latest | {late[-1]:.1f} | |")
    sys.exit(0 if cuts[49] < GOAL_P50_MS and cuts[98] < GOAL_P99_MS else 1)


if __name__ == "__main__":
    main()
