"""What it costs a service to know whose token it was given: one seen before, a new one, with none and many revoked.

    python -m bench.tokens [--tokens 2000] [--rounds 20]

Exits with 1 where the median of one seen before is over the budget.
"""

import argparse
import asyncio
import sys
import time
from statistics import median, quantiles
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.keys import KeyCache
from shared.auth.revocations import ANY_VERSION, NOTE, Revocations
from shared.auth.users import Authenticator
from shared.http.server import event_loop_factory
from shared.messaging.local import LocalBus, LocalHub
from tests.unit.factories import ISSUER, FakeDatabase, access_token, jwk, settings

BUDGET = 50.0
"""Microseconds for a token seen before."""
REVOKED = 100_000


async def authenticator(key: Ed25519PrivateKey, revoked: int) -> Authenticator:
    """One that has the key, and knows of so many other sessions that they were revoked."""

    async def fetch() -> dict[str, object]:
        return {"keys": [jwk(key, "k1")]}

    database: Any = FakeDatabase(AsyncMock())
    bus = LocalBus(LocalHub(), "bench")
    keys = KeyCache(fetch, database, settings())
    await keys.key("k1")
    revocations = Revocations(database, bus, settings())
    some = {"user_id": str(uuid4()), "min_ver": ANY_VERSION, "expires_at": "2100-01-01T00:00:00Z"}
    await bus.broadcast(NOTE, {"rows": [{"subject": str(uuid4()), **some} for _ in range(revoked)]})
    return Authenticator("bench", keys, revocations, ISSUER, "no secret")


async def timed(known: Authenticator, tokens: list[str]) -> list[float]:
    """Microseconds of each verification."""
    took = []
    for token in tokens:
        began = time.perf_counter_ns()
        await known.user(token)
        took.append((time.perf_counter_ns() - began) / 1000)
    return took


async def measure(count: int, rounds: int) -> dict[str, list[float]]:
    key = Ed25519PrivateKey.generate()
    took = {}
    for revoked in (0, REVOKED):
        known = await authenticator(key, revoked)
        tokens = [access_token(key, sub=str(uuid4()), sid=str(uuid4())) for _ in range(count)]
        took[f"new, {revoked:,} revoked"] = await timed(known, tokens)
        took[f"seen before, {revoked:,} revoked"] = [one for _ in range(rounds) for one in await timed(known, tokens)]
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"tokens": 2000, "rounds": 20}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        took = runner.run(measure(args.tokens, args.rounds))

    print("| access token | p50 µs | p99 µs | verified |\n|---|--:|--:|--:|")
    for name, each in took.items():
        print(f"| {name} | {median(each):.1f} | {quantiles(each, n=100)[98]:.1f} | {len(each)} |")
    slowest = max(median(each) for name, each in took.items() if name.startswith("seen"))
    if slowest > BUDGET:
        sys.exit(f"bench: a token seen before takes {slowest:.1f} µs, over the budget of {BUDGET:g} µs")


if __name__ == "__main__":
    main()
