"""What is declared at RabbitMQ: exchanges, queues, and what binds them.

The topology is made whole by every service from the one table `LISTENERS`, so that whoever is first up loses nothing:
exchange `marketplace.events` (topic), a queue `<service>.<event name>` a listener, and `marketplace.dead` with
`<service>.dead` for what the broker itself gives up. Notes between instances go over `marketplace.notes`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from pamqp.common import FieldTable

from shared.contracts import LISTENERS

DELIVERY_LIMIT = 100
"""Deliveries of one message, each ended by a crash, after which the broker gives it up. Failures don't count."""


@dataclass(frozen=True)
class Exchange:
    name: str
    type: ExchangeType


EVENTS = Exchange("marketplace.events", ExchangeType.TOPIC)
DEAD = Exchange("marketplace.dead", ExchangeType.DIRECT)
NOTES = Exchange("marketplace.notes", ExchangeType.DIRECT)


_QUORUM: Final[FieldTable] = {"x-queue-type": "quorum"}


@dataclass(frozen=True)
class Queue:
    """A durable queue, and how it is bound."""

    name: str
    exchange: Exchange
    routing_key: str
    arguments: FieldTable
    auto_delete: bool = False


def event_queue(service: str, event_name: str) -> Queue:
    arguments: FieldTable = _QUORUM | {
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": DEAD.name,
        "x-dead-letter-routing-key": service,
        "x-dead-letter-strategy": "at-least-once",
    }
    return Queue(f"{service}.{event_name}", EVENTS, event_name, arguments)


def dead_queue(service: str) -> Queue:
    """What the broker itself gave up of the service's messages."""
    return Queue(f"{service}.dead", DEAD, service, {**_QUORUM})


def notes_queue(service: str, instance: str) -> Queue:
    """What other instances of the service tell this one; it goes when nobody listens any more."""
    return Queue(f"{service}.notes.{instance}", NOTES, service, {"x-expires": 60_000}, auto_delete=True)


def topology() -> list[Queue]:
    """Every queue; dead letters' first."""
    everyone = {service for services in LISTENERS.values() for service in services}
    return [
        *map(dead_queue, everyone),
        *(event_queue(service, event.event_name) for event, services in LISTENERS.items() for service in services),
    ]


async def declare(channel: AbstractChannel, exchange: Exchange) -> AbstractExchange:
    return await channel.declare_exchange(exchange.name, exchange.type, durable=True)


async def declare_queues(channel: AbstractChannel, queues: Iterable[Queue]) -> list[AbstractQueue]:
    """With the exchanges that they hang on. A robust channel does it again after each reconnection."""
    wanted = list(queues)
    for exchange in {queue.exchange for queue in wanted}:
        await declare(channel, exchange)
    return [await _declare_queue(channel, queue) for queue in wanted]


async def _declare_queue(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    declared = await channel.declare_queue(
        queue.name, durable=True, auto_delete=queue.auto_delete, arguments=queue.arguments
    )
    await declared.bind(queue.exchange.name, queue.routing_key)
    return declared
