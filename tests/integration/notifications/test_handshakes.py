"""Who may open a socket, how, and with which code it is closed."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from marketplace.registry import service_app, service_settings
from marketplace.system import System
from services.notifications import repo
from services.notifications.sockets import tickets
from shared.errors import Unavailable
from shared.http.server import Server, listen, server_config
from shared.http.websocket_protocol import BoundedWebSocketProtocol
from shared.ids import new_id
from shared.messaging.local import LocalBus, LocalHub
from tests.integration.conftest import SETTINGS
from tests.integration.notifications.hubs import Hub
from tests.integration.notifications.mailboxes import database_of, tickets_of
from tests.integration.notifications.test_sockets import next_message, socket, token
from tests.support.people import Person, expect, log_in
from tests.support.waiting import eventually
from tests.unit.factories import user


async def close_code(connection: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def ticket_of(person: Person) -> str:
    made = expect(await person.post("/api/notifications/ws-ticket/"), 201)
    assert made["expires_in"] == 30
    ticket: str = made["ticket"]
    return ticket


async def opened_by(system: System, ticket: str) -> int | None:
    """The code it was closed with; None where it opened."""
    async with socket(system, f"?ticket={ticket}") as connection:
        try:
            assert (await next_message(connection))["type"] == "ready"
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0
    return None


async def test_a_ticket_opens_one_socket_once(system: System, client: Person) -> None:
    ticket = await ticket_of(client)

    assert await opened_by(system, ticket) is None
    assert await opened_by(system, ticket) == 4401


async def test_of_two_who_use_a_ticket_at_once_one_gets_in(system: System, client: Person) -> None:
    ticket = await ticket_of(client)

    assert sorted(map(str, await asyncio.gather(*(opened_by(system, ticket) for _ in range(2))))) == ["4401", "None"]


@pytest.mark.parametrize("ticket", ["", "forged"])
async def test_a_ticket_that_nobody_issued_opens_nothing(system: System, ticket: str) -> None:
    assert await opened_by(system, ticket) == 4401


async def test_a_ticket_is_over_after_thirty_seconds_and_swept(system: System, client: Person) -> None:
    ticket = await ticket_of(client)
    database = database_of(system)
    async with database.session() as session:
        age = text("UPDATE socket_tickets SET expires_at = expires_at - interval '30 s' WHERE user_id = :id")
        await session.exec(age.bindparams(id=UUID(client.id)))

    assert await opened_by(system, ticket) == 4401

    async def gone() -> bool:
        return await tickets_of(system, client) == 0

    assert not await gone()
    sweeping = asyncio.create_task(tickets.sweep_forever(database))
    await eventually(gone)
    sweeping.cancel()


async def test_a_ticket_is_kept_as_a_hash_alone(system: System, client: Person) -> None:
    ticket = await ticket_of(client)
    async with database_of(system).session() as session:
        rows = (await session.exec(text("SELECT socket_tickets::text FROM socket_tickets"))).all()

    assert len(ticket) == 43
    assert rows
    assert not [row for row in rows if ticket in str(row) or ticket.encode().hex() in str(row)]


async def test_what_a_ticket_opens_ends_with_the_token_that_it_was_made_by(system: System, client: Person) -> None:
    database = database_of(system)
    async with database.session() as session:
        brief = user("client", UUID(client.id), expires_at=int(time.time()) + 2, session_id=new_id())
        ticket = tickets.issue(session, brief, system.apps["notifications"].state.settings.socket_ticket_ttl)

    async with socket(system, f"?ticket={ticket}") as connection:
        assert (await next_message(connection))["type"] == "ready"
        assert await close_code(connection) == 4401


async def test_a_logout_ends_what_a_ticket_opened_and_tickets_that_nobody_used(system: System, client: Person) -> None:
    device = await log_in(client)
    unused = await ticket_of(device)
    async with socket(system, f"?ticket={await ticket_of(device)}") as connection:
        await next_message(connection)
        await device.http.post("/api/auth/logout/", json={"refresh": device.login["refresh"]})
        assert await close_code(connection) == 4401

    assert await opened_by(system, unused) == 4401


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:9999", "https://localhost:8000", "http://localhost.evil"],
)
async def test_a_page_of_another_origin_opens_nothing(system: System, client: Person, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(system, f"?token={token(client)}", origin=origin):
            pass

    answer = refused.value.response
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.body or b"")
    assert (problem["type"], problem["instance"]) == ("origin-not-allowed", "/ws/notifications/")
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("since", ["-1", "x", "", "9" * 40])
async def test_since_is_a_number(system: System, client: Person, since: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(system, f"?since={since}", additional_headers=client.headers):
            pass

    assert refused.value.response.status_code == 422
    assert [e["field"] for e in json.loads(refused.value.response.body or b"")["errors"]] == ["since"]


@pytest.mark.parametrize("origin", ["http://localhost:8000", "HTTP://LOCALHOST:8000"])
async def test_our_own_pages_open_sockets(system: System, client: Person, origin: str) -> None:
    async with socket(system, f"?token={token(client)}", origin=origin) as connection:
        assert (await next_message(connection))["type"] == "ready"


async def test_while_the_database_is_away_one_is_told_to_try_again_later(
    system: System, client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> int:
        raise Unavailable("away")

    monkeypatch.setattr(repo, "last_seq", away)
    async with socket(system, additional_headers=client.headers) as connection:
        assert await close_code(connection) == 1013


async def test_a_message_over_4_kib_is_too_big(system: System, client: Person) -> None:
    async with socket(system, additional_headers=client.headers) as connection:
        await next_message(connection)
        await connection.send(json.dumps({"type": "auth", "token": token(client), "more": "ї" * 2048}))
        assert await close_code(connection) == 1009


async def test_eleven_messages_in_a_second_are_too_many(system: System, client: Person) -> None:
    auth = json.dumps({"type": "auth", "token": token(client)})
    async with socket(system, additional_headers=client.headers) as connection:
        await next_message(connection)
        for _ in range(11):
            await connection.send(auth)
        assert await close_code(connection) == 4429


async def test_ten_messages_are_not_too_many(system: System, client: Person, worker: Person) -> None:
    service = await worker.offer()
    async with socket(system, additional_headers=client.headers) as connection:
        await next_message(connection)
        for _ in range(10):
            await connection.send(json.dumps({"type": "auth", "token": token(client)}))
        await client.order(service["id"])
        assert (await next_message(connection))["type"] == "order_created"


async def test_an_eleventh_socket_is_refused_and_the_ten_stay(system: System, client: Person, worker: Person) -> None:
    async with AsyncExitStack() as stack:
        ten = [await stack.enter_async_context(socket(system, additional_headers=client.headers)) for _ in range(10)]
        for connection in ten:
            await next_message(connection)
        async with socket(system, additional_headers=client.headers) as eleventh:
            assert await close_code(eleventh) == 4429
        await client.order((await worker.offer())["id"])
        for connection in ten:
            assert (await next_message(connection))["seq"] == 1


@asynccontextmanager
async def another_instance(
    system: System, databases: dict[str, str], **changed: Any
) -> AsyncIterator[tuple[Server, str, Any]]:
    """A process' worth of notifications on the same database, with the address of its sockets, and its app."""
    common = {f"{name}_url": url for name, url in system.urls.items()}
    settings = {**SETTINGS, **common, **changed, "database_url": databases["notifications"]}
    app = service_app(
        "notifications",
        service_settings("notifications", **settings),
        LocalBus(LocalHub(), "notifications"),
    )
    with listen("127.0.0.1", 0) as sock:
        server = Server(server_config(app))
        task = asyncio.create_task(server.serve([sock]))
        await server.started_up(task)
        try:
            yield server, f"ws://127.0.0.1:{sock.getsockname()[1]}/ws/notifications/", app
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 15)


def directly(address: str, person: Person, **options: Any) -> connect:
    return connect(address, proxy=None, additional_headers=person.headers, **options)


async def test_a_server_that_is_stopped_says_1012_to_all_and_ends_soon(
    system: System, databases: dict[str, str], client: Person
) -> None:
    async with another_instance(system, databases) as (server, address, _), AsyncExitStack() as stack:
        known = [await stack.enter_async_context(directly(address, client)) for _ in range(5)]
        for connection in known:
            await next_message(connection)
        unknown = await stack.enter_async_context(connect(address, proxy=None))

        server.should_exit = True

        assert [await close_code(connection) for connection in (*known, unknown)] == [1012] * 6


async def test_a_client_that_reads_nothing_is_cut_off_and_catches_up_by_since(
    system: System, databases: dict[str, str], client: Person
) -> None:
    """Over a real connection: there is more for it than all buffers on the way take."""
    async with another_instance(system, databases, socket_send_timeout="1s") as (_, address, app):
        async with directly(address, client, max_queue=1) as connection:
            await next_message(connection)
            await Hub(database_of(system)).tell(UUID(client.id), times=60, size=500_000)

            async def cut_off() -> bool:
                return not app.state.sockets._open

            await eventually(cut_off)
            heard, code = [], None
            try:
                while True:
                    heard.append((await next_message(connection))["seq"])
            except ConnectionClosed as closed:
                code = closed.rcvd and closed.rcvd.code
        assert (code, heard) == (4408, [*range(1, len(heard) + 1)])
        async with directly(f"{address}?since={len(heard)}", client) as again:
            await next_message(again)
            rest = [(await next_message(again))["seq"] for _ in range(len(heard), 60)]
            assert rest == [*range(len(heard) + 1, 61)]


async def test_a_client_that_never_reads_again_is_cut_off_all_the_same(
    system: System, databases: dict[str, str], client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedWebSocketProtocol, "patience", 0.2)
    async with (
        another_instance(system, databases, socket_send_timeout="1s") as (server, address, _),
        directly(address, client, max_queue=1, close_timeout=0.1) as connection,
    ):
        await next_message(connection)
        await Hub(database_of(system)).tell(UUID(client.id), times=60, size=500_000)

        async def cut_off() -> bool:
            return not server.server_state.connections

        await eventually(cut_off)
