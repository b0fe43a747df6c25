"""Many WebSockets on one notifications process, held through gateways: what each costs, and how late what is new comes.

    python -m bench.sockets [--connections 10000] [--events 500] [--seconds 30] [--gateways 2]

Each event of a second is of two people drawn at random, so it makes two pushes. Events go straight to RabbitMQ, as the
relay of orders would hand them over; the clock runs from there to the client's end of the socket. A gateway needs two
files a connection: where a process may open no more than 20,000, ten thousand connections take two gateways.
"""

import argparse
import asyncio
import gc
import os
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from decimal import Decimal
from statistics import quantiles
from uuid import UUID

import aiormq
import orjson
import psutil
from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector
from aiormq.abc import AbstractChannel, ChannelFrame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from bench.measuring import as_user, trust
from shared.background import woken
from shared.contracts.envelope import Envelope
from shared.contracts.orders import OrderCreated, OrderState
from shared.db.base import utcnow
from shared.http.server import event_loop_factory
from shared.ids import new_id
from shared.messaging.topology import EVENTS
from tests.support.process import NoServer
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack

GOAL_P99_MS = 250.0
CONNECTING_AT_ONCE = 50
BEATS = 50
"""Times a second that events are published, each time some: a relay hands them over in batches too."""
SETTLE = 20
"""Seconds within which the last push must have come."""
WARM_UP = 3
"""Seconds of load before it counts."""


class Board:
    """When each event was published, and when its pushes came."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.came: list[tuple[str, float]] = []
        """Order, seconds since it was published."""
        self.closed: list[object] = []
        self.changed = asyncio.Event()

    async def listen(self, socket: ClientWebSocketResponse) -> None:
        last = orjson.loads(await socket.receive_str())["last_seq"]
        async for frame in socket:
            now = time.perf_counter()
            message = orjson.loads(frame.data)
            if message["seq"] != last + 1:
                sys.exit(f"bench: a socket got seq {message['seq']} after {last}")
            last = message["seq"]
            order = message["data"]["order_id"]
            self.came.append((order, now - self.published[order]))
            self.changed.set()
        self.closed.append(socket.close_code)


async def open_sockets(addresses: Sequence[str], users: Sequence[UUID], board: Board, stack: AsyncExitStack) -> None:
    """One socket a user, by turns at the addresses; each is listened to until `stack` ends."""
    # A client that reads frames in C: it shares two cores with what is measured.
    http = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=0)))
    slots = asyncio.Semaphore(CONNECTING_AT_ONCE)
    listening: list[asyncio.Task[None]] = []

    async def open_one(number: int) -> None:
        address = f"{addresses[number % len(addresses)]}/ws/notifications/"
        async with slots, asyncio.timeout(60):
            socket = await http.ws_connect(address, headers=as_user("client", users[number]))
        listening.append(asyncio.create_task(board.listen(socket)))

    await asyncio.gather(*map(open_one, range(len(users))))

    async def end() -> None:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)

    stack.push_async_callback(end)


Made = Sequence[tuple[str, bytes]]
"""Events: each with its order's id, and as the frames that publish it."""


def events(users: Sequence[UUID], count: int, channel: AbstractChannel) -> Made:
    """Orders that were made, to be published by this channel."""
    made = []
    for _ in range(count):
        client, worker = random.sample(users, 2)
        order = OrderState(
            id=new_id(),
            number="2026-000001",
            service_id=new_id(),
            service_title="Leaking tap repair",
            client_id=client,
            owner_id=worker,
            worker_id=None,
            status="pending",
            payment_status="unpaid",
            total=Decimal("150000.00"),
            currency="UZS",
            version=1,
        )
        envelope = Envelope(
            id=new_id(),
            name=OrderCreated.event_name,
            version=OrderCreated.event_version,
            occurred_at=utcnow(),
            producer="orders",
            correlation_id="bench",
            data=OrderCreated(order=order).model_dump(mode="json"),
        )
        made.append((str(order.id), _frames(channel, envelope)))
    return made


def _frames(channel: AbstractChannel, envelope: Envelope) -> bytes:
    """As the relay publishes it (AMQP 0-9-1, 4.2.6)."""
    body = envelope.model_dump_json().encode()
    properties = Basic.Properties(message_id=str(envelope.id), content_type="application/json", delivery_mode=2)
    publish = Basic.Publish(exchange=EVENTS.name, routing_key=envelope.name, mandatory=True)
    frames = [publish, ContentHeader(body_size=len(body), properties=properties), ContentBody(body)]
    return ChannelFrame.marshall(channel.number, frames).payload


async def publish(channel: AbstractChannel, made: Made, board: Board, rate: int) -> None:
    """All of them at the rate, however slowly they are taken. What RabbitMQ doesn't take never comes, which is seen."""
    began, sent = time.perf_counter(), 0
    while sent < len(made):
        if batch := made[sent : int((time.perf_counter() - began) * rate)]:
            now = time.perf_counter()
            board.published |= {order: now for order, _ in batch}
            frames = b"".join(frames for _, frames in batch)
            await channel.write_queue.put(ChannelFrame(frames, should_close=False))
            sent += len(batch)
        await asyncio.sleep(1 / BEATS)


async def settled(board: Board, pushes: int) -> None:
    """Wait until so many have come, at most `SETTLE` after the last one."""
    while len(board.came) < pushes:
        board.changed.clear()
        before = len(board.came)
        await woken(board.changed, SETTLE)
        if len(board.came) == before:
            return


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


async def measure(args: argparse.Namespace, stack: Stack, rabbitmq_url: str, addresses: Sequence[str]) -> bool:
    """Print the table; returns whether the goal was met."""
    gateways = ["gateway", *(name for name in stack.ports if name.startswith("gateway-"))]
    users, board = [new_id() for _ in range(args.connections)], Board()
    before = resident(stack, "notifications"), resident(stack, *gateways)
    async with AsyncExitStack() as ending:
        began = time.perf_counter()
        await open_sockets(addresses, users, board, ending)
        connected = time.perf_counter() - began
        print(f"bench: {args.connections} connected in {connected:.0f} s", file=sys.stderr, flush=True)
        after = resident(stack, "notifications"), resident(stack, *gateways)
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
        busiest = resident(stack, "notifications"), resident(stack, *gateways)
    late = sorted(1000 * seconds for _, seconds in board.came[skip:])
    cuts = quantiles(late, n=1000)
    p99 = cuts[989]
    each = [(b - a) / args.connections for a, b in zip(before, after, strict=True)]
    under_load = [(b - a) / args.connections for a, b in zip(before, busiest, strict=True)]
    print(f"{args.connections} connections, {len(addresses)} gateway(s), {args.events} events/s for {args.seconds} s\n")
    print("| | |\n|---|--:|")
    print(f"| connections made a second | {args.connections / connected:.0f} |")
    print(f"| KiB a connection in notifications, idle – under load | {each[0]:.1f} – {under_load[0]:.1f} |")
    print(f"| KiB a connection in the gateway, idle – under load | {each[1]:.1f} – {under_load[1]:.1f} |")
    for name, percent in used.items():
        print(f"| of a core, {name} | {percent:.0f} % |")
    print(f"| pushes a second | {len(late) / args.seconds:.0f} |")
    print(f"| late by, ms: p50, p90 | {cuts[499]:.1f}, {cuts[899]:.1f} |")
    print(f"| p99 (goal: under {GOAL_P99_MS:g}) | {p99:.1f} |")
    print(f"| p99.9, latest | {cuts[998]:.1f}, {late[-1]:.1f} |")
    print(f"| pushes lost or doubled, sockets closed | {2 * sent - len(board.came)}, {len(board.closed)} |")
    return p99 < GOAL_P99_MS and len(board.came) == 2 * sent and not board.closed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"connections": 10_000, "events": 500, "seconds": 30, "gateways": 2}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the processes inherit it
    needed = 2 * args.connections // args.gateways + 500
    if needed > most:
        sys.exit(f"bench: a gateway would need {needed} open files and may have {most}: ulimit -Hn, or more --gateways")
    try:
        with system(args.gateways, RATE_LIMIT_SCALE="1000000", LOG_LEVEL="WARNING", EMAIL_DELAY="1h") as (
            stack,
            addresses,
        ):
            rabbitmq_url = stack.environment("notifications")["RABBITMQ_URL"]
            with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
                met = runner.run(measure(args, stack, rabbitmq_url, addresses))
    except NoServer as error:
        sys.exit(f"bench: {error}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
