"""Many WebSockets on one notifications process, held through gateways: what each costs, and how late what is new comes.

    python -m bench.sockets [--connections 10000 ...] [--events 500] [--seconds 30] [--gateways 2] [--save]

Each event of a second is of two people drawn at random, so it makes two pushes. Events go straight to RabbitMQ, as the
relay of orders would hand them over; the clock runs from there to the client's end of the socket. A gateway needs two
files a connection: where a process may open no more than 20,000, ten thousand connections take two gateways. Several
numbers of connections are measured one after another, each on a system of its own. `--save` keeps table and plot in
docs/performance/.
"""

import argparse
import asyncio
import gc
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from statistics import quantiles

import aiormq
import psutil

from bench.measuring import trust
from bench.pushes import Board, events, open_sockets, publish, settled
from bench.saving import DOCS, curves, keep
from shared.http.server import event_loop_factory
from shared.ids import new_id
from tests.support.process import NoServer
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack

GOAL_P99_MS = 250.0
WARM_UP = 3
"""Seconds of load before it counts."""


@contextmanager
def system(gateways: int, **settings: str) -> Iterator[tuple[Stack, list[str]]]:
    """Notifications and so many gateways, with PostgreSQL and RabbitMQ: nobody else has to be there."""
    with (
        postgres_server(own_process=True) as postgres,
        rabbitmq_server(own_process=True) as rabbitmq,
        Stack(postgres.admin_url, rabbitmq.url, **settings) as stack,
        ExitStack() as more,
    ):
        trust(stack.databases["notifications"])
        stack.start("notifications", "gateway")
        yield stack, [stack.url, *(more.enter_context(stack.another("gateway")) for _ in range(gateways - 1))]


class Share:
    """What processes use of one core, from when it is made."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._began = time.perf_counter()
        self._before = self._used()

    def _used(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)

    def percent(self) -> float:
        return 100 * (self._used() - self._before) / (time.perf_counter() - self._began)


def resident(stack: Stack, *names: str) -> float:
    """KiB of memory that these processes hold."""
    return sum(psutil.Process(stack.pid(name)).memory_info().rss for name in names) / 1024


@dataclass(frozen=True)
class Found:
    """Of so many connections."""

    a_second: float
    """That were made."""
    idle: tuple[float, float]
    """KiB a connection, of notifications and of the gateways."""
    busy: tuple[float, float]
    """The same under load."""
    used: Mapping[str, float]
    """By whom, percent of a core."""
    pushes: float
    """A second."""
    late: Sequence[float]
    """By how many milliseconds each push was, sorted."""
    lost: int
    """Or doubled, where it is negative."""
    closed: int

    @cached_property
    def cuts(self) -> Sequence[float]:
        return quantiles(self.late, n=1000)

    @property
    def p99(self) -> float:
        return self.cuts[989]

    @property
    def met(self) -> bool:
        return self.p99 < GOAL_P99_MS and not self.lost and not self.closed

    def cells(self) -> dict[str, str]:
        """Its column of the table, by the names of the rows."""
        memory = [f"{idle:.1f} – {busy:.1f}" for idle, busy in zip(self.idle, self.busy, strict=True)]
        return {
            "connections made a second": f"{self.a_second:.0f}",
            "KiB a connection in notifications, idle – under load": memory[0],
            "KiB a connection in the gateway, idle – under load": memory[1],
            **{f"of a core, {name}": f"{percent:.0f} %" for name, percent in self.used.items()},
            "pushes a second": f"{self.pushes:.0f}",
            "late by, ms: p50, p90": f"{self.cuts[499]:.1f}, {self.cuts[899]:.1f}",
            f"p99 (goal: under {GOAL_P99_MS:g})": f"{self.p99:.1f}",
            "p99.9, latest": f"{self.cuts[998]:.1f}, {self.late[-1]:.1f}",
            "pushes lost or doubled, sockets closed": f"{self.lost}, {self.closed}",
        }


async def measure(
    args: argparse.Namespace, count: int, stack: Stack, rabbitmq_url: str, addresses: Sequence[str]
) -> Found:
    gateways = ["gateway", *(name for name in stack.ports if name.startswith("gateway-"))]
    users, board = [new_id() for _ in range(count)], Board()

    def held() -> tuple[float, float]:
        return resident(stack, "notifications"), resident(stack, *gateways)

    def each(now: tuple[float, float]) -> tuple[float, float]:
        return (now[0] - before[0]) / count, (now[1] - before[1]) / count

    before = held()
    async with AsyncExitStack() as ending:
        began = time.perf_counter()
        await open_sockets(addresses, users, board, ending)
        connected = time.perf_counter() - began
        print(f"bench: {count:,} connected in {connected:.0f} s", file=sys.stderr, flush=True)
        idle = each(held())
        # Made before, since this end shares two cores with what is measured.
        connection = await ending.enter_async_context(await aiormq.connect(rabbitmq_url))
        channel = await connection.channel(publisher_confirms=False)
        warming, counted = (events(users, args.events * seconds, channel) for seconds in (WARM_UP, args.seconds))
        gc.collect()
        gc.disable()  # this end's pauses are not the system's
        await publish(channel, warming, board, args.events)
        await settled(board, 2 * len(warming))
        skip = len(board.came)
        shares = {
            "notifications": Share([stack.pid("notifications")]),
            "the gateways": Share([stack.pid(name) for name in gateways]),
            "this bench": Share([os.getpid()]),
        }
        await publish(channel, counted, board, args.events)
        used = {name: share.percent() for name, share in shares.items()}
        sent = len(warming) + len(counted)
        await settled(board, 2 * sent)
        busy = each(held())
    gc.enable()
    late = sorted(1000 * seconds for _, seconds in board.came[skip:])
    lost = 2 * sent - len(board.came)
    return Found(count / connected, idle, busy, used, len(late) / args.seconds, late, lost, len(board.closed))


def table(found: Mapping[int, Found]) -> str:
    """A column for each number of connections."""
    columns = [of.cells() for of in found.values()]
    lines = [f"| connections | {' | '.join(f'{count:,}' for count in found)} |", f"|---|{'--:|' * len(found)}"]
    lines += [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]
    return "\n".join(lines)


def save(found: Mapping[int, Found], text: str) -> None:
    lines = {
        "p50": [(count, of.cuts[499]) for count, of in found.items()],
        "p99": [(count, of.p99) for count, of in found.items()],
    }
    curves(DOCS / (plot := "sockets.svg"), lines, "sockets", "late by, ms", log="x")
    keep("sockets", "Sockets", text, plot)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[10_000], metavar="NUMBER")
    for option, default in {"events": 500, "seconds": 30, "gateways": 2}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--save", action="store_true", help="keep table and plot")
    args = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the processes inherit it
    needed = 2 * max(args.connections) // args.gateways + 500
    if needed > most:
        sys.exit(f"bench: a gateway would need {needed} open files and may have {most}: ulimit -Hn, or more --gateways")
    settings = {"RATE_LIMIT_SCALE": "1000000", "LOG_LEVEL": "WARNING", "EMAIL_DELAY": "1h"}
    found = {}
    try:
        for count in args.connections:
            with system(args.gateways, **settings) as (stack, addresses):
                rabbitmq_url = stack.environment("notifications")["RABBITMQ_URL"]
                with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
                    found[count] = runner.run(measure(args, count, stack, rabbitmq_url, addresses))
    except NoServer as error:
        sys.exit(f"bench: {error}")
    text = f"{args.gateways} gateway(s), {args.events} events/s for {args.seconds} s.\n\n{table(found)}"
    print(text)
    if args.save:
        save(found, text)
    sys.exit(0 if all(of.met for of in found.values()) else 1)


if __name__ == "__main__":
    main()
