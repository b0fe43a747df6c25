"""A login that has ended is ended in every service, and for whoever listens."""

import asyncio
import json

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from marketplace.system import System
from shared.auth.revocations import Revocations
from shared.auth.tokens import unverified_key_id, verify
from shared.messaging.local import LocalBus, LocalHub
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

EVERY_SERVICE = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")


async def statuses(person: Person) -> list[int]:
    """Of calls to every service, catalog's by a body that it would refuse only after it has looked at the token."""
    answers = [await person.get(path) for path in EVERY_SERVICE]
    return [answer.status_code for answer in (*answers, await person.post("/api/services/", {}))]


async def refused_everywhere(person: Person) -> None:
    async def refused() -> bool:
        return await statuses(person) == [401] * 5

    await eventually(refused)


async def test_logging_out_ends_the_access_token_everywhere(http: httpx.AsyncClient, client: Person) -> None:
    assert 401 not in await statuses(client)

    await http.post("/api/auth/logout/", json={"refresh": client.login["refresh"]})

    await refused_everywhere(client)
    problem = expect(await client.get("/api/orders/"), 401)
    assert problem["type"] == "invalid-token"


async def test_a_stolen_refresh_token_ends_the_access_tokens_of_its_family(
    http: httpx.AsyncClient, client: Person
) -> None:
    spend = {"json": {"refresh": client.login["refresh"]}}
    new = expect(await http.post("/api/auth/refresh/", **spend), 200)
    await http.post("/api/auth/refresh/", **spend, headers={"User-Agent": "thief"})

    await refused_everywhere(client)
    await refused_everywhere(Person(http, new))


async def test_another_password_ends_every_other_login(http: httpx.AsyncClient, client: Person) -> None:
    email = client.login["user"]["email"]
    other = Person(
        http, expect(await http.post("/api/auth/login/", json={"email": email, "password": "correct horse"}), 200)
    )
    body = {"current_password": "correct horse", "new_password": "battery staple"}

    assert (await client.post("/api/auth/password/", body)).status_code == 204

    await refused_everywhere(other)
    assert 401 not in await statuses(client)
    old, new = [
        await http.post("/api/auth/login/", json={"email": email, "password": password})
        for password in ("correct horse", "battery staple")
    ]
    assert (old.status_code, new.status_code) == (401, 200)


async def test_the_websocket_of_a_login_that_ended_is_closed(
    system: System, http: httpx.AsyncClient, client: Person
) -> None:
    address = system.address.replace("http", "ws", 1) + "/ws/notifications/"
    other = await register(http, "client")
    async with (
        connect(address, proxy=None, additional_headers=client.headers) as socket,
        connect(address, proxy=None, additional_headers=other.headers) as others,
    ):
        for each in (socket, others):
            assert json.loads(await asyncio.wait_for(each.recv(), 10))["type"] == "ready"

        await http.post("/api/auth/logout/", json={"refresh": client.login["refresh"]})

        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4401
        assert (await others.ping()) is not None


async def test_a_service_that_starts_knows_what_was_revoked_before(
    system: System, http: httpx.AsyncClient, client: Person
) -> None:
    await http.post("/api/auth/logout/", json={"refresh": client.login["refresh"]})
    await refused_everywhere(client)
    orders = system.apps["orders"].state
    authenticator, token = orders.platform.authenticator, client.login["access"]
    claims = verify(token, await authenticator.keys.key(unverified_key_id(token)), orders.settings.token_issuer)

    started = Revocations(orders.platform.database, LocalBus(LocalHub(), "orders"), orders.settings)
    assert not started.refuses(claims)
    await started.read()

    assert started.refuses(claims)
