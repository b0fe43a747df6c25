"""A login that has ended, over RabbitMQ: for every service, every instance, and whoever listens."""

import asyncio
import json
from collections.abc import Iterable

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.people import Person, expect, register
from tests.support.rabbitmq import OwnRabbit
from tests.support.stack import Stack
from tests.support.waiting import eventually

READS = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")


async def log_out(person: Person) -> None:
    answer = await person.http.post("/api/auth/logout/", json={"refresh": person.login["refresh"]})
    assert answer.status_code == 204


async def statuses(person: Person, more: Iterable[str] = ()) -> set[int]:
    """Of a read at every service through the gateway, and at `more` addresses."""
    return {(await person.get(path)).status_code for path in (*READS, *more)}


async def refused(person: Person, more: Iterable[str] = ()) -> None:
    """Return once the person's access token opens nothing any more, anywhere."""

    async def everywhere() -> bool:
        return await statuses(person, more) == {401}

    await eventually(everywhere)


async def test_a_login_ends_in_every_instance_and_for_who_listens(stack: Stack, http: httpx.AsyncClient) -> None:
    person = await register(http, "client")
    address = stack.url.replace("http", "ws", 1) + "/ws/notifications/"
    with stack.another("orders") as second:
        theirs = [f"{second}/api/orders/"]
        assert await statuses(person, theirs) == {200}
        async with connect(address, proxy=None, additional_headers=person.headers) as socket:
            assert json.loads(await asyncio.wait_for(socket.recv(), 10))["type"] == "ready"

            await log_out(person)

            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4401
        await refused(person, theirs)


@pytest.mark.timeout(240)
async def test_without_rabbitmq_a_login_ends_at_accounts_and_everywhere_once_it_is_back(
    stack: Stack, rabbitmq: OwnRabbit, http: httpx.AsyncClient
) -> None:
    person = await register(http, "client")
    with stack.another("orders") as second:
        theirs = [f"{second}/api/orders/"]
        assert await statuses(person, theirs) == {200}
        rabbitmq.stop()
        try:
            await log_out(person)
            refresh = await http.post("/api/auth/refresh/", json={"refresh": person.login["refresh"]})
            meanwhile = await person.get("/api/orders/")
        finally:
            await asyncio.to_thread(rabbitmq.start)

        assert refresh.status_code == 401
        assert meanwhile.status_code == 200  # it holds until it ends by itself, or the event gets through
        await refused(person, theirs)


async def test_a_service_that_was_killed_still_knows_which_logins_ended(stack: Stack, http: httpx.AsyncClient) -> None:
    person = await register(http, "client")
    await log_out(person)
    await refused(person)

    stack.kill("orders")
    await asyncio.to_thread(stack.start, "orders")

    assert expect(await person.get("/api/orders/"), 401)["type"] == "invalid-token"
