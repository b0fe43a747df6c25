"""What the system takes: the embedded mode while nobody asks anything of it, and each process under load for an hour.

    python -m bench.footprint [--idle 60] [--minutes 60] [--rate 20] [--save]

First `marketplace run` with its own PostgreSQL: memory and use of the cores at the start, and after the demo was
played. Then a process a service under a steady load of reads, new orders and journeys, so many minutes, or none of it
with `--minutes 0`. `--save` keeps tables and plot in docs/performance/. Exits with 1 where a goal is missed.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import psutil
import psycopg

from bench.comparing import Side
from bench.rows import JOURNEYS, ROWS, travel
from bench.saving import DOCS, Points, curves, keep
from bench.stack import seeded_stack
from marketplace.data_folder import embedded_databases
from tests.support.embedded import marketplace, running, servers_of
from tests.support.process import free_port
from tests.support.stack import PROCESSES, Stack

GOAL_EMBEDDED_MB, GOAL_IDLE_PERCENT = 450, 2.0
GOAL_PROCESS_MB, GOAL_GROWTH = 120, 1.05
SETTLE = 15
"""Seconds after which what a start, or the demo, has set going is done."""
LEAST_LOOKS = 8
"""At the memory of each process: a shorter run than of so many minutes is looked at more often than every minute."""
TRAVELLERS = 1
MB = 1_000_000


@dataclass(frozen=True)
class Used:
    """By processes up to now."""

    cpu: float
    """Seconds of a core."""
    wake_ups: int
    memory: float
    """MB, as PSS: what several share counts once among them. PostgreSQL's processes share most of what each has."""
    processes: int


def used(processes: Sequence[psutil.Process]) -> Used:
    cpu, wake_ups, memory, count = 0.0, 0, 0.0, 0
    for process in processes:
        try:
            with process.oneshot():
                # Of those that have ended since, their parent has it.
                cpu += sum(process.cpu_times()[:4])
                wake_ups += process.num_ctx_switches().voluntary
                memory += process.memory_full_info().pss / MB
                count += 1
        except psutil.NoSuchProcess:
            continue
    return Used(cpu, wake_ups, memory, count)


class Idle(NamedTuple):
    """Of one part, over some time in which nobody asked anything of it."""

    memory: float
    processes: int
    percent: float
    """Of a core."""
    wake_ups: float
    """A second."""


def committed(data: Path) -> int:
    """Transactions of all databases so far."""
    with psycopg.connect(embedded_databases(data)["accounts"]) as connection:
        (count,) = connection.execute("SELECT sum(xact_commit) FROM pg_stat_database").fetchone() or (0,)
    return int(count)


def watch(pid: int, data: Path, seconds: float) -> tuple[dict[str, Idle], float]:
    """What each part took meanwhile, and how many transactions there were a second."""

    def look() -> dict[str, Used]:
        itself = psutil.Process(pid)
        return {"marketplace": used([itself, *itself.children(recursive=True)]), "PostgreSQL": used(servers_of(data))}

    time.sleep(SETTLE)
    transactions, began, before = committed(data), time.perf_counter(), look()
    time.sleep(seconds)
    after, took = look(), time.perf_counter() - began
    found = {
        part: Idle(
            now.memory,
            now.processes,
            100 * (now.cpu - before[part].cpu) / took,
            (now.wake_ups - before[part].wake_ups) / took,
        )
        for part, now in after.items()
    }
    found["all"] = Idle(*map(sum, zip(*found.values(), strict=True)))
    return found, (committed(data) - transactions) / took


def embedded(seconds: float) -> tuple[str, list[str]]:
    """The table, and the goals that are missed."""
    found: dict[str, tuple[dict[str, Idle], float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-footprint-") as folder:
        # PostgreSQL refuses root, so it runs as another, who has to reach what is inside.
        Path(folder).chmod(0o755)
        data, port = Path(folder, "var"), free_port()
        with running(data, port) as process:
            print(f"bench: embedded, idle for {seconds:g} s, twice", file=sys.stderr, flush=True)
            found["after start"] = watch(process.pid, data, seconds)
            demo = marketplace("demo", "--url", f"http://127.0.0.1:{port}")
            if demo.returncode:
                sys.exit(f"bench: the demo failed:\n{demo.stdout}{demo.stderr}")
            found["after the demo"] = watch(process.pid, data, seconds)
    lines = [
        "| embedded, idle | processes | memory, MB (PSS) | of a core | wake-ups/s | transactions/s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    missed = []
    for when, (parts, transactions) in found.items():
        for part, idle in parts.items():
            figures = f"{idle.processes} | {idle.memory:.0f} | {idle.percent:.2f} % | {idle.wake_ups:.0f}"
            more = f"{transactions:.1f}" if part == "PostgreSQL" else ""
            lines.append(f"| {when}: {part} | {figures} | {more} |")
        if parts["all"].memory >= GOAL_EMBEDDED_MB:
            missed.append(f"memory {when}")
        if parts["all"].percent >= GOAL_IDLE_PERCENT:
            missed.append(f"idle {when}")
    lines.append(f"| goal, all: under | | {GOAL_EMBEDDED_MB} | {GOAL_IDLE_PERCENT:g} % | | |")
    return "\n".join(lines), missed


async def offered(side: Side, http: httpx.AsyncClient, rate: float, seconds: float, chance: random.Random) -> int:
    """So many requests a second, each of a row drawn at random, however slowly they are answered; how many failed."""
    failed = 0

    async def ask() -> None:
        nonlocal failed
        method, path, headers, body = ROWS[chance.choice([*ROWS])](side, chance)
        try:
            (await http.request(method, path, headers=headers, content=body)).raise_for_status()
        except httpx.HTTPError:
            failed += 1

    began, asked = time.perf_counter(), set[asyncio.Task[None]]()
    sent = 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * rate:
            asked.add(task := asyncio.create_task(ask()))
            task.add_done_callback(asked.discard)
            sent += 1
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*asked)
    return failed


async def loaded(stack: Stack, side: Side, minutes: float, rate: float) -> tuple[dict[str, list[float]], int, int]:
    """MB of each process at each look (as `Used.memory`), how many journeys were made, and how many of all requests
    failed."""
    memory: defaultdict[str, list[float]] = defaultdict(list)
    looks = max(LEAST_LOOKS, round(minutes))
    seconds, journeys, failed = minutes * 60 / looks, 0, 0
    async with httpx.AsyncClient(base_url=side.url, timeout=30, trust_env=False) as http:
        for number in range(looks):
            chance = random.Random(number)
            travelled, refused = await asyncio.gather(
                travel(side, seconds, number, TRAVELLERS), offered(side, http, rate, seconds, chance)
            )
            journeys, failed = journeys + round(travelled.rate * seconds), failed + int(travelled.failed) + refused
            for name in PROCESSES:
                memory[name].append(psutil.Process(stack.pid(name)).memory_full_info().pss / MB)
            told = ", ".join(f"{name} {each[-1]:.0f}" for name, each in memory.items())
            print(f"bench: {(number + 1) * seconds / 60:.1f} min: {told} MB", file=sys.stderr, flush=True)
    return memory, journeys, failed


def quarters(looks: Sequence[float]) -> list[float]:
    """The median of each."""
    cuts = [len(looks) * quarter // 4 for quarter in range(5)]
    return [median(looks[start:end]) for start, end in pairwise(cuts)]


def judged(memory: Mapping[str, Sequence[float]], rss: Mapping[str, float]) -> tuple[str, list[str]]:
    """The table, and the goals that are missed."""
    lines = [
        "| PSS, MB | first | second quarter | last quarter | last | growth | RSS at the end |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    missed = []
    for name, looks in memory.items():
        _, second, _, last = quarters(looks)
        figures = " | ".join(f"{mb:.1f}" for mb in (looks[0], second, last, looks[-1]))
        lines.append(f"| {name} | {figures} | {last / second:.3f} | {rss[name]:.1f} |")
        if max(last, looks[-1]) >= GOAL_PROCESS_MB:
            missed.append(f"memory of {name}")
        # One that has shrunk leaks nothing.
        if last > GOAL_GROWTH * second:
            missed.append(f"growth of {name}")
    lines.append(f"| goal | | | under {GOAL_PROCESS_MB} | under {GOAL_PROCESS_MB} | at most {GOAL_GROWTH:g} | |")
    return "\n".join(lines), missed


def under_load(minutes: float, rate: float) -> tuple[str, list[str], Mapping[str, Points]]:
    with tempfile.TemporaryDirectory(prefix="bench-footprint-") as folder:
        fixture = Path(folder, "fixture.json")
        settings = {"RATE_LIMIT_SCALE": "1000000", "FAKE_GATEWAY_SUCCESS_RATE": "1", "LOG_LEVEL": "WARNING"}
        with seeded_stack(fixture, **settings) as stack:
            side = Side("now", json.loads(fixture.read_text()))
            memory, journeys, failed = asyncio.run(loaded(stack, side, minutes, rate))
            rss = {name: psutil.Process(stack.pid(name)).memory_info().rss / MB for name in memory}
    table, missed = judged(memory, rss)
    said = f"{minutes:g} minutes of {rate:g} requests a second, drawn of {', '.join(ROWS)}; beside them {JOURNEYS}, "
    said += f"{TRAVELLERS} at a time, {journeys:,} in all. {failed:,} requests failed."
    if failed:
        missed.append("not every request was served")
    step = minutes / len(next(iter(memory.values())))
    points = {name: [(step * (number + 1), mb) for number, mb in enumerate(looks)] for name, looks in memory.items()}
    return f"{said}\n\n{table}", missed, points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=float, default=60, help="seconds")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="requests a second, beside journeys")
    parser.add_argument("--save", action="store_true", help="keep tables and plot")
    args = parser.parse_args()
    text, missed = embedded(args.idle)
    print(text, flush=True)
    plots = []
    if args.minutes:
        load, more, points = under_load(args.minutes, args.rate)
        print(f"\n{load}")
        text, missed = f"{text}\n\n{load}", missed + more
        if args.save:
            curves(DOCS / (plot := "footprint.svg"), points, "minutes", "PSS, MB")
            plots.append(plot)
    if args.save:
        keep("footprint", "Footprint", text, *plots)
    if missed:
        sys.exit(f"bench: {len(missed)} goals are missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
