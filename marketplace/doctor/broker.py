"""The broker: exchanges, queues with the right arguments and somebody who takes from them, and what it gave up."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from marketplace.doctor.findings import Finding, Patient, judged, well, wrong
from shared.messaging.topology import DEAD, EVENTS, NOTES, Queue, dead_queue, topology

PATIENCE = 5.0
"""Seconds to connect."""
LONG = 10_000
"""Messages in a queue; each takes the broker's memory and, at a thousand a second, a millisecond of its listener."""
START_ANEW = "Restart any service: each declares the whole topology as it starts."


async def check_broker(patient: Patient) -> AsyncIterator[Finding]:
    if not patient.is_deployed:
        return
    url = patient.settings.rabbitmq_url or ""
    try:
        async with asyncio.timeout(PATIENCE):
            connection = await aio_pika.connect(url)
    except Exception as error:
        where = urlsplit(url).netloc.rpartition("@")[2]
        said = f"can't be used at {where}: {error or repr(error)}"
        yield wrong("broker", said, "Start RabbitMQ; look at RABBITMQ_URL and its password. Events wait meanwhile.")
        return
    async with connection:
        yield well("broker", "answers")
        missing = [name for name in (EVENTS.name, DEAD.name, NOTES.name) if not await _has_exchange(connection, name)]
        problem = f"missing: {', '.join(missing)}" if missing else None
        yield judged("exchanges", problem, START_ANEW, well_said="all there")
        async for finding in _queues(connection, patient.name):
            yield finding


async def _queues(connection: AbstractConnection, service: str) -> AsyncIterator[Finding]:
    missing, others, idle, long = [], [], [], []
    parked = 0
    for queue in topology():
        found = await counts(connection, queue)
        if found is None:
            missing.append(queue.name)
            continue
        messages, consumers = found
        if not await _has_arguments(connection, queue):
            others.append(queue.name)
        if queue.name == dead_queue(service).name:
            parked = messages
        elif queue.name.startswith(f"{service}."):
            idle += [queue.name] * (not consumers)
            long += [f"{queue.name} ({messages})"] * (messages > LONG)
    yield judged("queues", f"missing: {_some(missing)}" if missing else None, START_ANEW, well_said="all there")
    problem = f"with other arguments than this code's: {_some(others)}" if others else None
    remedy = "Let each run empty, delete it, and restart any service; then `marketplace outbox republish`."
    yield judged("queues' arguments", problem, remedy, well_said="as in this code")
    problem = f"nobody takes from {_some(idle)}" if idle else None
    remedy = (
        f"Does {service} run? If its log says `noproc`, the broker has lost the queue and keeps its name: delete it, "
        "and have each service run `marketplace outbox republish` once it is made anew. "
        f"Else restart {service}."
    )
    yield judged("consumers", problem, remedy, well_said="each queue has one")
    problem = f"long: {_some(long)}" if long else None
    remedy = f"Start more instances of {service}, or look in its log for what fails."
    yield judged("queues' length", problem, remedy, well_said=f"none over {LONG}")
    problem = f"{dead_queue(service).name} holds {parked}: not readable, or {service} ended each time that it came"
    remedy = "Look at them in RabbitMQ's management pages, and delete them or move them back to their queue."
    yield judged("given up by the broker", problem if parked else None, remedy, well_said="nothing")


async def _has_exchange(connection: AbstractConnection, name: str) -> bool:
    channel = await connection.channel()  # one for each question: the broker closes it with a no
    try:
        await channel.get_exchange(name, ensure=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def counts(connection: AbstractConnection, queue: Queue) -> tuple[int, int] | None:
    """Messages and consumers; None where there is no such queue."""
    channel = await connection.channel()
    try:
        found = (await channel.declare_queue(queue.name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return None
    await channel.close()
    return found.message_count or 0, found.consumer_count or 0


async def _has_arguments(connection: AbstractConnection, queue: Queue) -> bool:
    """Declares it as a service would, which changes nothing where it is there."""
    channel = await connection.channel()
    try:
        await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    except ChannelPreconditionFailed:
        return False
    await channel.close()
    return True


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
