"""For each mutant the fault that exposes it: `python -m tests.chaos.aimed` plays them all.

The same faults are played to the unchanged product first, which must stand them: else an oracle that always complains
would seem to catch every mutant.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from shared.config import ServiceSettings
from tests.chaos.driver import Promises
from tests.chaos.faults import Fault
from tests.chaos.mutants import MUTATIONS
from tests.chaos.oracle import Findings, waiting
from tests.chaos.run import PATIENCE, settle, tell_again
from tests.chaos.system import Chaos, chaos
from tests.support.waiting import eventually

NOTIFICATIONS = ("notifications", "notifications-2")
GIVEN_UP = 2 * ServiceSettings.model_fields["db_lock_timeout"].default.total_seconds() + 1
"""Seconds after which what waits for a lock has failed, with the others of its batch and then once more alone."""
NO_UNIQUE_INDEX = "no-unique-index"


def _all(promises: Promises) -> int:
    return promises.acknowledged


def _charges(promises: Promises) -> int:
    return len(promises.captured)


def _of_orders(promises: Promises) -> int:
    return len(promises.orders) + len(promises.moves)


@asynccontextmanager
async def load(system: Chaos) -> AsyncIterator[None]:
    """Stories go on meanwhile, and are told to their end."""
    telling = asyncio.create_task(system.driver.run())
    try:
        yield
        system.driver.end()
        await telling
    finally:
        telling.cancel()


async def acknowledged(system: Chaos, more: int, count: Callable[[Promises], int] = _all) -> None:
    """Wait for so many more writes, of those that `count` counts."""
    wanted = count(system.driver.promises) + more

    async def enough() -> bool:
        return count(system.driver.promises) >= wanted

    await eventually(enough, within=PATIENCE)


async def told_again(system: Chaos) -> None:
    """Every event arrives once more."""
    async with load(system):
        await acknowledged(system, 40)

    async def quiet() -> bool:
        return not await asyncio.to_thread(waiting, system.databases)

    await eventually(quiet, within=PATIENCE)
    await tell_again(system)


async def broker_killed_with_full_queues(system: Chaos) -> None:
    async with load(system):
        await acknowledged(system, 10)
        for name in NOTIFICATIONS:
            await asyncio.to_thread(system.stack.kill, name)
        await acknowledged(system, 20)
        async with system.injector.lasting(Fault(0, "kill -9 of the broker")):
            await acknowledged(system, 20)
        for name in NOTIFICATIONS:
            system.stack.spawn(name)


async def killed_with_messages_in_hand(system: Chaos) -> None:
    async with load(system):
        await acknowledged(system, 10)
        async with system.injector.lasting(Fault(0, "an inbox locked", "notifications")):
            await acknowledged(system, 20)
            await asyncio.sleep(GIVEN_UP)
            for name in NOTIFICATIONS:
                await asyncio.to_thread(system.stack.kill, name)
        for name in NOTIFICATIONS:
            system.stack.spawn(name)


async def killed_before_a_slow_commit(system: Chaos) -> None:
    async with load(system):
        await acknowledged(system, 10)
        for _ in range(3):
            async with system.injector.lasting(Fault(0, "latency on the way", "database")):
                await acknowledged(system, 5, _of_orders)
                for name in ("orders", "orders-2"):
                    await asyncio.to_thread(system.stack.kill, name)
            for name in ("orders", "orders-2"):
                system.stack.spawn(name)


async def provider_answers_lost(system: Chaos) -> None:
    async with load(system):
        await acknowledged(system, 10)
        async with system.injector.lasting(Fault(0, "the provider's answers lost")):
            await acknowledged(system, 8, _charges)


@dataclass(frozen=True)
class Aim:
    """What is done to a mutant, and what the oracle must say of it."""

    fault: Callable[[Chaos], Awaitable[None]]
    complaint: str


AIMS: Mapping[str, Aim] = {
    "no-inbox": Aim(told_again, "^doubled: notification"),
    NO_UNIQUE_INDEX: Aim(told_again, "^doubled: notification"),
    "mark-before-publish": Aim(broker_killed_with_full_queues, "^lost: .* never came to"),
    "not-persistent": Aim(broker_killed_with_full_queues, "^lost: .* never came to notifications"),
    "ack-before-commit": Aim(killed_with_messages_in_hand, "^lost: .* never came to notifications"),
    "reject-without-dead-letters": Aim(killed_with_messages_in_hand, "^lost: .* never came to notifications"),
    "commit-after-response": Aim(killed_before_a_slow_commit, "^lost: (order|dispute)"),
    "new-reference-on-retry": Aim(provider_answers_lost, "^doubled: Payme has taken"),
}


async def play(name: str | None, seed: int, fault: Callable[[Chaos], Awaitable[None]]) -> Findings:
    """What the oracle finds after the fault, in the mutant of that name; None is the unchanged product."""
    program = ("tests.chaos.mutants", name) if name in MUTATIONS else ("marketplace",)
    async with chaos(seed, program) as system:
        if name == NO_UNIQUE_INDEX:
            await asyncio.to_thread(_drop_unique_index, system.postgres.admin_url)
        await fault(system)
        return (await settle(system))[1]


def complaints(name: str, found: Findings) -> list[str]:
    """Those that the mutant's fault is known by."""
    return [line for line in found.all if re.search(AIMS[name].complaint, line)]


def _drop_unique_index(admin_url: str) -> None:
    """The one by which an inbox knows what it has had."""
    key = "SELECT conname FROM pg_constraint WHERE conrelid = 'inbox'::regclass AND contype = 'p'"
    with psycopg.connect(f"{admin_url.rpartition('/')[0]}/notifications") as connection:
        [(name,)] = connection.execute(key).fetchall()
        connection.execute(f"ALTER TABLE inbox DROP CONSTRAINT {name}".encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(AIMS)}; without any, all of them")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    names = wanted.names or [*AIMS]
    wrong = 0
    for fault in {AIMS[name].fault: None for name in names}:
        found = asyncio.run(play(None, wanted.seed, fault)).all
        wrong += bool(found)
        print(f"unchanged, {fault.__name__}: {'; '.join(found[:5]) or 'nothing is found'}", flush=True)
    for name in names:
        found = complaints(name, asyncio.run(play(name, wanted.seed, AIMS[name].fault)))
        wrong += not found
        print(f"{name}: {f'caught, {len(found)}: {found[0]}' if found else 'NOT CAUGHT'}", flush=True)
    if wrong:
        sys.exit(f"{wrong} of these are not as they should be")


if __name__ == "__main__":
    main()
