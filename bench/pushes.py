"""Many WebSockets that listen, events that are published to them at a rate, and when each push came."""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector
from aiormq.abc import AbstractChannel, ChannelFrame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from bench.events import order_created
from bench.measuring import as_user
from shared.background import woken
from shared.contracts.envelope import Envelope
from shared.messaging.topology import EVENTS

CONNECTING_AT_ONCE = 50
BEATS = 50
"""Times a second that events are published, each time some: a relay hands them over in batches too."""
SETTLE = 20
"""Seconds within which the last push must have come."""


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
        envelope = order_created(client, worker)
        made.append((envelope.data["order"]["id"], _frames(channel, envelope)))
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
