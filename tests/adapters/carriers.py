"""The two carriers behind the bus port, each with a way to go away and come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from marketplace.registry import service_settings
from shared.contracts import EVERYONE, Envelope, Event
from shared.contracts.accounts import UserRegistered
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging.bus import Bus, OutgoingMessage
from shared.messaging.local import LocalBus, LocalHub
from shared.messaging.rabbit import RabbitBus
from tests.integration.conftest import SETTINGS
from tests.support.events import someone
from tests.support.rabbitmq import OwnRabbit
from tests.support.waiting import eventually

AT_ONCE: Final = 1000


async def nothing(envelope: Envelope) -> None:
    """No trouble."""


@dataclass
class Receiver:
    """Notes what it has taken. `trouble` comes before that, and may keep a delivery waiting or raise."""

    trouble: Callable[[Envelope], Awaitable[None]] = nothing
    taken: list[UUID] = field(default_factory=list)
    at_once: int = AT_ONCE

    async def receive(self, envelope: Envelope) -> None:
        await self.store([envelope])

    async def store(self, envelopes: list[Envelope]) -> None:
        for envelope in envelopes:
            await self.trouble(envelope)
        self.taken += [envelope.id for envelope in envelopes]


Member = tuple[Bus, Receiver]


class Carrier(Protocol):
    instances: int
    """How many of one service it can have."""
    may_lose_notes: bool

    def bus(self, service: str) -> Bus:
        """A new one, which is not started."""

    async def go(self, members: list[Member]) -> None:
        """Be away, at once and with nothing said."""

    async def come_back(self, members: list[Member]) -> None: ...


class LocalCarrier:
    """It is away when the services that listen are: it is made of nothing else."""

    instances, may_lose_notes = 1, False

    def __init__(self) -> None:
        self._hub = LocalHub()

    def bus(self, service: str) -> Bus:
        return LocalBus(self._hub, service)

    async def go(self, members: list[Member]) -> None:
        for bus, _ in members:
            await bus.stop()

    async def come_back(self, members: list[Member]) -> None:
        for bus, receiver in members:
            await bus.start(receiver)


class RabbitCarrier:
    instances, may_lose_notes = 2, True

    def __init__(self, broker: OwnRabbit) -> None:
        self._broker = broker

    def bus(self, service: str) -> Bus:
        settings = {**SETTINGS, "database_url": "postgresql://nobody@localhost:1/none"}
        return RabbitBus(service, service_settings(service, **settings, rabbitmq_url=self._broker.url))

    async def go(self, members: list[Member]) -> None:
        # Of a new queue the node says yes before that is on disk, and can't make it again after a crash in between.
        # What it writes by itself, within half a second, it has written after two.
        await asyncio.to_thread(self._broker.ctl, "eval", "mnesia:sync_log().")
        await asyncio.sleep(2)
        await asyncio.to_thread(self._broker.kill)

    async def come_back(self, members: list[Member]) -> None:
        await asyncio.to_thread(self._broker.start)


@asynccontextmanager
async def running(*members: Member) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for bus, receiver in members:
            await bus.start(receiver)
            stack.push_async_callback(bus.stop)
        await connected(*members)
        yield


async def connected(*members: Member) -> None:
    async def all_are() -> bool:
        return all(bus.connected for bus, _ in members)

    await eventually(all_are)


def everyone(carrier: Carrier, **receivers: Receiver) -> dict[str, Member]:
    """One instance a service; those that are not named have no trouble."""
    return {service: (carrier.bus(service), receivers.get(service, Receiver())) for service in EVERYONE}


def message(event: Event) -> OutgoingMessage:
    envelope = Envelope(
        id=new_id(),
        name=event.event_name,
        version=event.event_version,
        occurred_at=utcnow(),
        producer="nobody",
        correlation_id="c",
        data=event.model_dump(mode="json"),
    )
    return OutgoingMessage(str(envelope.id), envelope.name, envelope.model_dump_json().encode())


def registrations(count: int) -> list[OutgoingMessage]:
    """Heard by catalog, orders and notifications."""
    return [message(UserRegistered(user=someone())) for _ in range(count)]


def ids(messages: list[OutgoingMessage]) -> list[UUID]:
    return sorted(UUID(message.event_id) for message in messages)


async def carry(bus: Bus, messages: list[OutgoingMessage]) -> None:
    """Publish until all of it is taken, as the relay does."""
    left = {message.event_id: message for message in messages}

    async def all_taken() -> bool:
        try:
            async with asyncio.timeout(5):
                for taken in await bus.publish([*left.values()]):
                    del left[taken]
        except Exception:  # whatever it was, none was taken
            return False
        return not left

    await eventually(all_taken, within=60)


async def arrived(receiver: Receiver, messages: list[OutgoingMessage]) -> None:
    wanted = {*ids(messages)}

    async def all_there() -> bool:
        return len(receiver.taken) >= len(wanted) and wanted <= {*receiver.taken}

    await eventually(all_there, within=60)
