import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from marketplace.system import System
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


@asynccontextmanager
async def socket(system: System, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    address = system.address.replace("http", "ws", 1) + "/ws/notifications/" + query
    async with connect(address, proxy=None, **options) as connection:
        yield connection


async def next_message(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), 10))
    return message


def token(person: Person) -> str:
    access: str = person.login["access"]
    return access


async def test_a_token_may_come_as_header(system: System, client: Person) -> None:
    async with socket(system, additional_headers=client.headers) as connection:
        assert await next_message(connection) == {"type": "ready", "last_seq": 0}


async def test_a_token_may_come_as_subprotocol(system: System, client: Person) -> None:
    async with socket(system, subprotocols=["bearer", token(client)]) as connection:
        assert connection.subprotocol == "bearer"
        assert (await next_message(connection))["type"] == "ready"


async def test_a_token_may_come_in_the_query(system: System, client: Person) -> None:
    async with socket(system, f"?token={token(client)}") as connection:
        assert (await next_message(connection))["type"] == "ready"


async def test_a_token_may_come_as_first_message(system: System, client: Person) -> None:
    async with socket(system) as connection:
        await connection.send(json.dumps({"type": "auth", "token": token(client)}))
        assert (await next_message(connection))["type"] == "ready"


@pytest.mark.parametrize("message", [None, "{", '"x"', '{"type": "auth"}', '{"type": "auth", "token": "forged"}', "[]"])
async def test_who_does_not_say_who_they_are_is_closed_with_4401(system: System, message: str | None) -> None:
    async with socket(system) as connection:
        if message is not None:
            await connection.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_notifications_arrive_live_and_in_order(system: System, client: Person, worker: Person) -> None:
    service = await worker.offer()
    async with (
        socket(system, additional_headers=client.headers) as clients,
        socket(system, additional_headers=worker.headers) as workers,
    ):
        for connection in (clients, workers):
            await next_message(connection)
        order = await client.order(service["id"])
        expect(await worker.accept(order["id"]), 200)

        for connection in (clients, workers):
            heard = [await next_message(connection) for _ in range(2)]
            assert sorted(message["type"] for message in heard) == ["order_assigned", "order_created"]
            assert [message["seq"] for message in heard] == [1, 2]
            assert {message["data"]["order_id"] for message in heard} == {order["id"]}
            assert heard[0].keys() == {"type", "seq", "id", "created_at", "title", "data"}


async def test_since_replays_what_was_missed_without_gap_or_repeat(
    system: System, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    for _ in range(4):
        await client.order(service["id"])

    async def all_there() -> bool:
        return len(await client.notifications()) == 4

    await eventually(all_there)

    async with socket(system, "?since=1", additional_headers=client.headers) as connection:
        assert await next_message(connection) == {"type": "ready", "last_seq": 4}
        assert [(await next_message(connection))["seq"] for _ in range(3)] == [2, 3, 4]


async def test_many_events_at_once_number_each_mailbox_without_gap(client: Person, worker: Person) -> None:
    service = await worker.offer()
    await asyncio.gather(*(client.order(service["id"]) for _ in range(20)))

    async def all_there() -> bool:
        return len(await worker.notifications()) == 20

    await eventually(all_there)
    for person in (client, worker):
        assert [notification["seq"] for notification in await person.notifications()] == list(range(1, 21))


async def test_an_inbox_is_ones_own(client: Person, worker: Person) -> None:
    await client.order((await worker.offer())["id"])
    stranger = await register(client.http, "client")

    async def told() -> bool:
        return bool(await client.notifications())

    await eventually(told)
    assert await stranger.notifications() == []


async def test_another_users_token_does_not_take_a_socket_over(system: System, client: Person, worker: Person) -> None:
    async with socket(system, additional_headers=client.headers) as connection:
        await next_message(connection)
        await connection.send(json.dumps({"type": "auth", "token": token(worker)}))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
