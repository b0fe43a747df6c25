"""SIGTERM under load: what is under way ends well, and with another instance beside it nobody notices."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from marketplace.registry import SERVICES
from tests.e2e.journeys import one
from tests.e2e.load import Load
from tests.support.people import PASSWORD, Person, register
from tests.support.stack import PROCESSES, Stack
from tests.support.waiting import eventually

SETTINGS = {"BREAKER_PAUSE": "200ms", "BREAKER_PAUSE_MAX": "200ms", "INTERNAL_TIMEOUT": "10s", "DB_POOL_TIMEOUT": "20s"}
"""An instance that is back is found at once, and not within 30 s; and limits that a busy machine meets."""


@pytest.fixture
async def load(stack: Stack, http: httpx.AsyncClient) -> Load:
    client, worker = await register(http, "client"), await register(http, "worker")
    return Load(client, worker, (await worker.offer())["id"], [stack.url])


@pytest.mark.timeout(240)
async def test_services_that_are_stopped_end_what_is_under_way_and_refuse_the_rest(stack: Stack, load: Load) -> None:
    async with AsyncExitStack() as kept:
        sockets = [
            await kept.enter_async_context(
                connect(
                    stack.url.replace("http", "ws") + "/ws/notifications/",
                    proxy=None,
                    additional_headers=load.client.headers,
                )
            )
            for _ in range(5)
        ]
        async with load.offered():
            await load.passed(5)

            halves = await asyncio.gather(*(half_sent(stack, load, name) for name in SERVICES))
            stopping = asyncio.create_task(asyncio.to_thread(stack.stop, *SERVICES))
            try:
                await eventually(lambda: _truth(load.refused))
                answers = [await whole(*half) for half in halves]
                ends = [await end_of(socket) for socket in sockets]
            finally:
                await stopping
                await asyncio.to_thread(stack.start, *SERVICES)
            await load.passed(5)

    assert load.broken == []
    assert [answer for answer in answers if not answer.startswith("HTTP/1.1 2")] == []
    assert ends == [1012] * len(sockets)
    await assert_drained(stack)


@pytest.mark.timeout(400)
async def test_a_rolling_restart_of_every_process_is_seen_by_nobody(stack: Stack, load: Load) -> None:
    seconds = [f"{name}-2" for name in PROCESSES]
    both = {f"{name.upper()}_URL": f"{stack.address(name)},{stack.address(f'{name}-2')}" for name in SERVICES}
    load.gateways = [stack.address("gateway"), stack.address("gateway-2")]
    with stack.changed(**both, **SETTINGS):
        await asyncio.to_thread(stack.stop)  # who asks others has to know both of each
        await asyncio.to_thread(stack.start, *PROCESSES, *seconds)
        try:
            async with load.offered():
                await load.passed(5)
                for process in PROCESSES:
                    await asyncio.to_thread(stack.stop, process)
                    await load.passed(2)
                await asyncio.to_thread(stack.start, *PROCESSES)
                await load.passed(5)
                await asyncio.to_thread(stack.stop, *seconds)
                await load.passed(2)
        finally:
            await asyncio.to_thread(stack.stop)
    await asyncio.to_thread(stack.start)

    assert load.broken == []
    assert not load.refused
    await assert_drained(stack)


Half = tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]


async def half_sent(stack: Stack, load: Load, service: str) -> Half:
    """A change that the service has been sent half of, and what is left to send."""
    by, method, path, body = await _change(stack, load, service)
    sent = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.ports[service])
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        f"Authorization: {by.headers['Authorization']}\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
        + sent[:5]
    )
    return reader, writer, sent[5:]


async def _change(stack: Stack, load: Load, service: str) -> tuple[Person, str, str, object]:
    client, worker = load.client, load.worker
    match service:
        case "accounts":
            return client, "POST", "/api/auth/login/", {"email": client.email, "password": PASSWORD}
        case "catalog":
            return worker, "PATCH", f"/api/services/{load.service_id}/", {"title": "Another title"}
        case "orders":
            return client, "POST", "/api/orders/create/", {"service_id": load.service_id, "address": "1 Navoi St"}
        case "payments":
            order = await client.order(load.service_id)

            async def is_known() -> bool:
                """Else payments asks orders about it, which is stopped with it."""
                return one(stack, "payments", "SELECT count(*) FROM orders WHERE id = %s", order["id"]) == 1

            await eventually(is_known)
            return client, "POST", f"/api/payments/order/{order['id']}/pay/", {"method": "payme"}
        case _:
            return worker, "PUT", "/api/notifications/preferences/", {"preferences": {}}


async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes) -> str:
    """Send the rest; the answer, which says that it is the last."""
    writer.write(rest)
    async with asyncio.timeout(20):
        raw = await reader.read()
    writer.close()
    assert b"connection: close" in raw
    return raw.decode()


async def end_of(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            async for _ in socket:
                """What is heard meanwhile is another test's matter."""
    return socket.close_code


async def assert_drained(stack: Stack) -> None:
    """Every event has left and been handled, and none is dead."""

    async def nothing_waits() -> bool:
        waiting = ("outbox WHERE published_at IS NULL", "inbox WHERE state = 'retry'")
        return not any(
            one(stack, service, f"SELECT count(*) FROM {which}") for service in SERVICES for which in waiting
        )

    await eventually(nothing_waits, within=60)
    dead = {service: one(stack, service, "SELECT count(*) FROM inbox WHERE state = 'dead'") for service in SERVICES}
    assert dead == dict.fromkeys(SERVICES, 0)


async def _truth(value: object) -> bool:
    return bool(value)
