"""What goes wrong, and when: a plan that is drawn from the seed alone, and what carries it out."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import aio_pika
import psycopg

from marketplace.simulators.servers.faults import Faults
from shared.contracts import LISTENERS
from shared.messaging.topology import event_queue
from tests.support.postgres import OwnPostgres
from tests.support.proxy import Proxy, Spoilt
from tests.support.rabbitmq import OwnRabbit
from tests.support.stack import Stack

PROXIED = ("broker", "database")
STARTS_WITHIN = 240.0
"""Seconds that a server may take to be back."""
QUEUES = sorted(f"{event.event_name} {service}" for event, services in LISTENERS.items() for service in services)


class Fault(NamedTuple):
    at: float
    """Seconds after the beginning; later where what was before takes longer."""
    kind: str
    target: str = ""
    seconds: float = 0


@dataclass(frozen=True)
class Plan:
    kills: Sequence[Fault]
    outages: Sequence[Fault]
    """Of what all processes lean on, one after the other: two at once would prove less."""


def plan(seed: int, seconds: float, processes: Sequence[str], *, longest: float) -> Plan:
    """Kills of processes every second or two, all of them in turn; and all kinds of outages in turn, as often as there
    is time for, but once at least. `longest` is that of a freeze, in seconds."""
    chance = random.Random(f"{seed}/faults")
    kills: list[Fault] = []
    at = 1.0
    while at < seconds:
        for name in chance.sample([*processes], len(processes)):
            kills.append(Fault(at, "kill -9 of a process", name))
            at += chance.uniform(1, 3)
    outages: list[Fault] = []
    at = 3.0
    while at < seconds:
        for outage in chance.sample(_kinds(chance, longest), len(_kinds(chance, longest))):
            outages.append(outage._replace(at=at))
            at += outage.seconds + chance.uniform(1, 4)
    return Plan([kill for kill in kills if kill.at < seconds], outages)


def _kinds(chance: random.Random, longest: float) -> list[Fault]:
    listening = ("orders", "payments", "notifications", "catalog")
    return [
        Fault(0, "kill -9 of the broker"),
        Fault(0, "the broker frozen", seconds=chance.uniform(2, longest)),
        Fault(0, "the broker's memory alarm", seconds=chance.uniform(1, 3)),
        Fault(0, "a queue deleted", chance.choice(QUEUES)),
        Fault(0, "immediate stop of PostgreSQL", seconds=chance.uniform(0, 1)),
        Fault(0, "an inbox locked", chance.choice(listening), chance.uniform(1, 3)),
        *(Fault(0, f"{how} on the way", chance.choice(PROXIED), chance.uniform(1, 3)) for how in Spoilt),
        Fault(0, "the provider's answers lost", seconds=chance.uniform(1, 3)),
        Fault(0, "the provider late", seconds=chance.uniform(1, 3)),
    ]


@dataclass
class Injector:
    """Carries out a plan on running processes, and counts what it did."""

    stack: Stack
    postgres: OwnPostgres
    rabbitmq: OwnRabbit
    proxies: Mapping[str, Proxy]
    provider: Faults
    done: Counter[str] = field(default_factory=Counter)
    broker_lost_events: bool = False
    """Whether the broker's operator has to have the events told again."""

    async def run(self, planned: Plan) -> None:
        await asyncio.gather(self._run(planned.kills), self._run(planned.outages))

    async def _run(self, faults: Sequence[Fault]) -> None:
        now = asyncio.get_running_loop().time
        begun = now()
        for fault in faults:
            await asyncio.sleep(max(0.0, begun + fault.at - now()))
            await self.inject(fault)

    async def inject(self, fault: Fault) -> None:
        """Let it happen, and return when it is over; what was killed is starting again by then."""
        if fault.kind == "kill -9 of a process":
            await asyncio.to_thread(self.stack.kill, fault.target)
            self.stack.spawn(fault.target)
        else:
            async with self.lasting(fault):
                await asyncio.sleep(fault.seconds)
        self.done[fault.kind] += 1

    def lasting(self, fault: Fault) -> AbstractAsyncContextManager[None]:
        """The outage, for as long as its context."""
        how, _, on_the_way = fault.kind.partition(" ")
        if on_the_way == "on the way":
            return self.proxies[fault.target].spoilt(Spoilt(how))
        match fault.kind:
            case "kill -9 of the broker":
                return self._ended(self.rabbitmq)
            case "immediate stop of PostgreSQL":
                return self._ended(self.postgres)
            case "the broker frozen":
                return self._frozen()
            case "the broker's memory alarm":
                return self._alarmed()
            case "a queue deleted":
                return self._queue_deleted(*fault.target.split(" "))
            case "an inbox locked":
                return self._locked(fault.target)
            case "the provider's answers lost":
                return self._answers_lost()
            case "the provider late":
                return self._late()
        raise ValueError(fault.kind)

    @asynccontextmanager
    async def _ended(self, server: OwnPostgres | OwnRabbit) -> AsyncIterator[None]:
        await asyncio.to_thread(server.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(_start, server)

    @asynccontextmanager
    async def _frozen(self) -> AsyncIterator[None]:
        with self.rabbitmq.frozen():
            yield

    @asynccontextmanager
    async def _alarmed(self) -> AsyncIterator[None]:
        mark = "set_vm_memory_high_watermark"
        await asyncio.to_thread(self.rabbitmq.ctl, mark, "0.0001")
        try:
            yield
        finally:
            await asyncio.to_thread(self.rabbitmq.ctl, mark, "0.6")

    @asynccontextmanager
    async def _queue_deleted(self, event_name: str, service: str) -> AsyncIterator[None]:
        async with await aio_pika.connect(self.rabbitmq.url) as connection:
            await (await connection.channel()).queue_delete(event_queue(service, event_name).name)
        self.broker_lost_events = True
        yield

    @asynccontextmanager
    async def _locked(self, service: str) -> AsyncIterator[None]:
        """Nothing that the service is told can take effect, nor be kept to be tried again."""
        address = self.postgres.admin_url.rpartition("/")[0]
        async with await psycopg.AsyncConnection.connect(f"{address}/{service}") as connection:
            await connection.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
            yield

    @asynccontextmanager
    async def _answers_lost(self) -> AsyncIterator[None]:
        """The provider books, and then drops the connection; not always, for a charge takes two calls."""
        self.provider.lose_every_other = True
        try:
            yield
        finally:
            self.provider.lose_every_other = False

    @asynccontextmanager
    async def _late(self) -> AsyncIterator[None]:
        self.provider.delay = 1.0
        try:
            yield
        finally:
            self.provider.delay = 0.0


def _start(server: OwnPostgres | OwnRabbit) -> None:
    """Start it again, however long that takes on a machine that is busy with other things too."""
    try:
        server.start()
    except TimeoutError:
        server.wait_ready(STARTS_WITHIN)
