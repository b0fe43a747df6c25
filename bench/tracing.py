"""What traces cost: the same load on two systems by turns, of which one sends to a collector what it keeps by default.

    python -m bench.tracing [--rounds 20] [--seconds 2] [--connections 8]

Both are whole, every process on its own; the collector is an nginx that says yes. Lists go past the gateway's cache,
and once out of it. Rounds are short, and each is compared with its neighbour: the machine's own pace changes by more.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.nginx import nginx
from bench.passthrough import PAST_THE_CACHE, WARM_UP, await_list, wrk
from bench.stack import seeded_stack

GOAL = 0.95
"""Of the throughput without traces."""

COLLECTOR = """
    client_max_body_size 64m;
    location / { return 200; }
"""


async def orders(fixture: Mapping[str, Any], seconds: float, connections: int) -> float:
    """New orders a second, by so many clients that each begin the next when the last is made."""
    made, end = 0, time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal made
        token = fixture["client_tokens"][number % len(fixture["client_tokens"])]
        wish = {"service_id": fixture["service_ids"][number % len(fixture["service_ids"])], "address": "1 Navoi St"}
        headers = {"Authorization": f"Bearer {token}"}
        while time.perf_counter() < end:
            answer = await http.post("/api/orders/create/", json=wish, headers=headers)
            if answer.status_code != httpx.codes.CREATED:
                sys.exit(f"bench: an order was answered {answer.status_code}: {answer.text[:300]}")
            made += 1

    began = time.perf_counter()
    async with httpx.AsyncClient(base_url=fixture["base_url"], timeout=30, trust_env=False) as http:
        await asyncio.gather(*map(client, range(connections)))
    return made / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"rounds": 20, "seconds": 2, "connections": 8}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="bench-tracing-") as name, ExitStack() as systems:
        folder = Path(name)
        collector = systems.enter_context(nginx(COLLECTOR))
        if collector is None:
            sys.exit("bench: nginx is missing: apt-get install nginx-light")
        endpoints = {"off": "", "on": collector}
        fixtures: dict[str, Any] = {}
        for way, endpoint in endpoints.items():
            path, limits = folder / f"{way}.json", {"RATE_LIMIT_SCALE": "1000000", "EMAIL_DELAY": "1h"}
            systems.enter_context(seeded_stack(path, **limits, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint))
            fixtures[way] = json.loads(path.read_text())
        rates: dict[str, dict[str, list[float]]] = {
            load: {"off": [], "on": []} for load in ("list of 20", "new orders", "kept list of 20")
        }
        for fixture in fixtures.values():
            await_list(fixture["base_url"])
            wrk(fixture["base_url"], WARM_UP, args.connections, *PAST_THE_CACHE)
            asyncio.run(orders(fixture, WARM_UP, args.connections))
        for number in range(args.rounds):
            for way in sorted(fixtures, reverse=bool(number % 2)):
                url = fixtures[way]["base_url"]
                listed = wrk(url, args.seconds, args.connections, *PAST_THE_CACHE)
                rates["list of 20"][way].append(listed["rate"])
                rates["new orders"][way].append(asyncio.run(orders(fixtures[way], args.seconds, args.connections)))
                rates["kept list of 20"][way].append(wrk(url, args.seconds, args.connections)["rate"])

    print(f"{args.connections} connections, medians of {args.rounds} rounds of {args.seconds} s:\n")
    print("| a second | without | with traces | ratio of a round | the middle half of them |\n|---|--:|--:|--:|--:|")
    ratios = {}
    for load, by in rates.items():
        each = sorted(on / off for on, off in zip(by["on"], by["off"], strict=True))
        ratios[load], quarter = median(each), len(each) // 4
        cells = [f"{median(by['off']):.0f}", f"{median(by['on']):.0f}", f"{ratios[load]:.3f}"]
        print(f"| {load} | {' | '.join(cells)} | {each[quarter]:.3f} – {each[-quarter - 1]:.3f} |")
    sys.exit(0 if min(ratios.values()) >= GOAL else 1)


if __name__ == "__main__":
    main()
