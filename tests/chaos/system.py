"""Everything that a chaos run needs, as real processes on private ports, with the provider's simulator in this one."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aio_pika
import httpx

from marketplace.doctor.broker import counts
from marketplace.simulators.calls import PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.sender import Sender
from marketplace.simulators.servers import ClickSide, PaymeSide, provider_app
from shared.messaging.topology import EVENTS, topology
from tests.chaos.driver import Driver, Town
from tests.chaos.faults import Injector
from tests.chaos.oracle import Databases
from tests.e2e.conftest import SHORT_WAITS
from tests.support.asgi import serving_app
from tests.support.people import PASSWORD, Person, expect
from tests.support.postgres import OwnPostgres
from tests.support.proxy import Proxy
from tests.support.rabbitmq import OwnRabbit
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack

MERCHANT, KEY = "chaos", "the key of the simulated cash desk"
ADMIN = "admin@example.com"
SETTINGS = SHORT_WAITS | {
    "ENV": "development",  # the provider is on this machine, without TLS
    "PAYMENT_GATEWAY": "live",
    "PAYME_MERCHANT_ID": MERCHANT,
    "PAYME_KEY": KEY,
    "ACCESS_TOKEN_TTL": "60m",
    "VOID_AFTER": "3s",
    "ESCROW_HOLD": "5s",
    "ORDER_ACCEPT_TIMEOUT": "20s",
    "EXPIRE_EVERY": "1s",
    "TIMERS_EVERY": "1s",
    # What is killed every few seconds would look broken to the gateway for longer than it is.
    "BREAKER_PAUSE": "200ms",
    "BREAKER_PAUSE_MAX": "1s",
}


@dataclass(frozen=True)
class Chaos:
    """A system under test, and the two who play with it."""

    stack: Stack
    postgres: OwnPostgres
    rabbitmq: OwnRabbit
    payme: PaymeSide
    driver: Driver
    injector: Injector

    @property
    def databases(self) -> Databases:
        """By the short way: the proxy may be at its worst."""
        port = urlsplit(self.postgres.url).port
        urls = {name: urlsplit(url) for name, url in self.stack.databases.items()}
        return Databases(
            {
                name: url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{port}").geturl()
                for name, url in urls.items()
            }
        )

    def dead_queues(self) -> int:
        """Messages that the broker gave up."""
        lines = self.rabbitmq.ctl("list_queues", "name", "messages").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.split()[0].endswith(".dead"))

    def delete_broken_queues(self) -> list[str]:
        """Delete those that a kill has left without a process, as an operator must; returns their names.

        Their services make them anew.
        """
        states = (line.split() for line in self.rabbitmq.ctl("list_queues", "name", "state").splitlines())
        broken = [name for name, state in states if state == "down"]
        for name in broken:
            self.rabbitmq.ctl("delete_queue", name)
        return broken

    async def held_by_broker(self) -> list[str]:
        """Queues of services that hold events for them, or are not there."""
        found = []
        async with await aio_pika.connect(self.rabbitmq.url) as connection:
            for queue in topology():
                if queue.exchange is EVENTS:
                    there = await counts(connection, queue)
                    if there is None:
                        found.append(f"the queue {queue.name}, which is not there")
                    elif there[0]:
                        found.append(f"{there[0]} in {queue.name}")
        return found

    def queues_and_bindings(self) -> str:
        """As the broker tells them, for who looks into a loss."""
        queues = self.rabbitmq.ctl("list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers")
        return f"{queues}\n{self.rabbitmq.ctl('list_bindings', 'source_name', 'destination_name', 'routing_key')}"


@asynccontextmanager
async def chaos(seed: int, program: Sequence[str] = ("marketplace",), tellers: int = 6) -> AsyncIterator[Chaos]:
    """The system, ready; `program` is what its processes run."""
    async with AsyncExitStack() as rooms:
        postgres, rabbitmq = await asyncio.gather(
            asyncio.to_thread(postgres_server, own_process=True), asyncio.to_thread(rabbitmq_server, own_process=True)
        )
        rooms.enter_context(postgres)
        rooms.enter_context(rabbitmq)
        proxies = {
            name: await rooms.enter_async_context(Proxy(urlsplit(server.url).port or 0).serving())
            for name, server in (("broker", rabbitmq), ("database", postgres))
        }
        payme = PaymeSide(MERCHANT, PaymeDesk("nobody uses its pages here", KEY))
        provider = await rooms.enter_async_context(
            serving_app(provider_app(payme, ClickSide(1, ClickShop("", "", 1, "no key of Click's"))))
        )
        stack = await asyncio.to_thread(
            Stack,
            _by_way_of(proxies["database"], postgres.admin_url),
            _by_way_of(proxies["broker"], rabbitmq.url),
            twins=("orders", "notifications"),
            program=program,
            **SETTINGS,
            PAYME_CHECKOUT_URL=f"{provider}/payme",
        )
        rooms.enter_context(stack)
        await asyncio.to_thread(stack.start)
        http = await rooms.enter_async_context(
            httpx.AsyncClient(base_url=stack.url, timeout=15, trust_env=False, limits=httpx.Limits(max_connections=50))
        )
        sender = Sender(pause=0.3)
        rooms.push_async_callback(sender.close)
        desk = PaymeDesk(stack.url + PAYME_PATH, KEY)
        town = Town(http, await _admin(stack, http), desk, payme.books, sender)
        injector = Injector(stack, postgres, rabbitmq, proxies, payme.faults)
        yield Chaos(stack, postgres, rabbitmq, payme, Driver(seed, town, tellers), injector)


def _by_way_of(proxy: Proxy, url: str) -> str:
    address = urlsplit(url)
    return address._replace(netloc=f"{address.netloc.rpartition(':')[0]}:{proxy.port}").geturl()


async def _admin(stack: Stack, http: httpx.AsyncClient) -> Person:
    await asyncio.to_thread(run_marketplace, stack, "accounts", "create-admin", "--email", ADMIN, stdin=PASSWORD)
    return Person(http, expect(await http.post("/api/auth/login/", json={"email": ADMIN, "password": PASSWORD}), 200))


def run_marketplace(stack: Stack, service: str, *arguments: str, stdin: str = "") -> None:
    """What an operator runs in the service's container. Raises `CalledProcessError`."""
    subprocess.run(
        [sys.executable, "-m", "marketplace", *arguments],
        env=dict(stack.environment(service)),
        input=f"{stdin}\n",
        text=True,
        check=True,
        capture_output=True,
        timeout=120,
    )


async def supervised(stack: Stack) -> None:
    """Start again what ends by itself, until cancelled."""
    while True:
        stack.revive()
        await asyncio.sleep(0.5)
