"""A chaos run, from the seed to its table: `python -m tests.chaos.run --seed 1 --seconds 600`."""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from shared.config import ServiceSettings
from shared.db import Database
from shared.messaging.republish import republish
from tests.chaos.driver import Promises
from tests.chaos.faults import plan
from tests.chaos.oracle import Findings, judge, waiting
from tests.chaos.system import Chaos, chaos, supervised

FREEZE_SHORT, FREEZE_LONG = 3.0, 45.0
"""Seconds that a broker stands still at most, in runs shorter and longer than `LONG`."""
LONG = 300
PATIENCE = 180.0
"""Seconds for which a run waits for what is under way, before it is called lost."""
STANDS_STILL = 5.0
"""Seconds without a change, after which it is for good."""
DRAINED_WITHIN = 10.0


@dataclass(frozen=True)
class Outcome:
    """Of one run."""

    seed: int
    seconds: float
    promises: Promises
    faults: Mapping[str, int]
    findings: Findings
    drained: float
    """Seconds from the last story's end, with all processes up, until nothing was under way any more."""

    @property
    def kills(self) -> int:
        return self.faults.get("kill -9 of a process", 0)

    def table(self) -> str:
        found = self.findings
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("seconds", f"{self.seconds:.0f}"),
            ("writes offered", self.promises.offered),
            ("writes acknowledged", self.promises.acknowledged),
            ("orders", len(self.promises.orders)),
            *sorted(self.faults.items()),
            ("lost", len(found.lost)),
            ("doubled", len(found.doubled)),
            ("mismatches", len(found.mismatches)),
            ("dead letters", found.dead),
            ("drained in", f"{self.drained:.1f} s"),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in rows), *found.all[:50]])


async def run(seed: int, seconds: float) -> Outcome:
    """Load and faults for about so many seconds, at least until all that is planned is done."""
    longest = FREEZE_LONG if seconds >= LONG else FREEZE_SHORT
    async with chaos(seed) as system:
        planned = plan(seed, seconds, system.stack.names, longest=longest)
        begun = time.monotonic()
        watching = asyncio.create_task(supervised(system.stack))
        load = asyncio.create_task(system.driver.run())
        faults = asyncio.create_task(system.injector.run(planned))
        try:
            await asyncio.wait({load, faults}, return_when=asyncio.FIRST_COMPLETED)
            await faults
            system.driver.end()
            await load
            lasted = time.monotonic() - begun
            drained, findings = await settle(system)
        finally:
            watching.cancel()
            load.cancel()
            faults.cancel()
        return Outcome(seed, lasted, system.driver.promises, system.injector.done, findings, drained)


async def settle(system: Chaos) -> tuple[float, Findings]:
    """Wait until nothing is under way, or moves any more; how long that took, and what the oracle finds then."""
    for name in system.stack.names:
        await asyncio.to_thread(system.stack.wait_ready, name)
    if await asyncio.to_thread(system.delete_broken_queues) or system.injector.broker_lost_events:
        await tell_again(system)
    begun = changed = time.monotonic()
    before: list[str] | None = None
    while time.monotonic() < begun + PATIENCE:
        pending = [*await asyncio.to_thread(waiting, system.databases), *await system.held_by_broker()]
        findings = await _judged(system)
        if not pending and not findings.all:
            break
        if pending + findings.all != before:
            before, changed = pending + findings.all, time.monotonic()
        if not pending and time.monotonic() > changed + STANDS_STILL:
            break
        await asyncio.sleep(0.5)
    drained = time.monotonic() - begun
    findings.dead += await asyncio.to_thread(system.dead_queues)
    findings.lost.extend(pending)
    if findings.lost:
        print(await asyncio.to_thread(system.queues_and_bindings), file=sys.stderr)
    return drained, findings


async def tell_again(system: Chaos) -> None:
    """`marketplace outbox republish`, which an operator runs after the broker has lost what it held."""
    for address in system.databases.addresses.values():
        database = Database(ServiceSettings(env="development", database_url=address))
        try:
            await republish(database)
        finally:
            await database.close()


async def _judged(system: Chaos) -> Findings:
    return await asyncio.to_thread(judge, system.databases, system.driver.promises, system.payme.books)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=600)
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    outcome = asyncio.run(run(wanted.seed, wanted.seconds))
    print(outcome.table())
    if outcome.findings.all:
        sys.exit("the oracle complains")
    if outcome.drained > DRAINED_WITHIN:
        sys.exit(f"drained in {outcome.drained:.1f} s, not within {DRAINED_WITHIN:g} s")


if __name__ == "__main__":
    main()
