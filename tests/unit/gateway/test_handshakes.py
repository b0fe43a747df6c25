"""A WebSocket begins where its page is ours and its address has room."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gateway.handshakes import Handshakes
from tests.unit.gateway.asgi import Answer, Clock, answering, call, scope_of, settings

SHOP = {"public_url": "https://shop.example", "allowed_origins": "http://localhost:3000"}


async def handshake(app: Handshakes, *headers: tuple[str, str], **more: Any) -> Answer:
    return await call(app, scope_of("/ws/notifications/", *headers, type="websocket", **more))


@pytest.mark.parametrize("origin", ["https://shop.example", "https://SHOP.example:443", "http://localhost:3000"])
async def test_pages_of_ours_may_open_one(origin: str) -> None:
    assert (await handshake(Handshakes(answering(), settings(**SHOP)), ("origin", origin))).status == 101


async def test_who_is_no_page_may_open_one() -> None:
    assert (await handshake(Handshakes(answering(), settings(**SHOP)))).status == 101


@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", "null", "", "https://"])
async def test_other_pages_are_refused_before_any_service_is_asked(origin: str) -> None:
    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the service was asked")

    answer = await handshake(Handshakes(asked, settings(**SHOP)), ("origin", origin))
    assert (answer.status, answer.json()["type"]) == (403, "origin-not-allowed")


async def test_of_two_origins_both_must_be_ours() -> None:
    both = [("origin", "https://shop.example"), ("origin", "https://evil.example")]
    assert (await handshake(Handshakes(answering(), settings(**SHOP)), *both)).status == 403


async def test_an_address_begins_so_many_a_minute() -> None:
    clock = Clock()
    app = Handshakes(answering(), settings(), clock=clock)
    began = [(await handshake(app)).status for _ in range(301)]
    assert began == [101] * 300 + [429]
    assert (await handshake(app, client="192.0.2.8")).status == 101

    refused = await handshake(app)
    assert refused["retry-after"] == "1"
    clock.now += 1
    assert (await handshake(app)).status == 101


async def test_an_address_has_so_many_open_and_may_open_another_when_one_ends() -> None:
    ends = asyncio.Event()

    async def stay(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await ends.wait()

    app = Handshakes(stay, settings(sockets_per_address=2))
    first = [asyncio.create_task(handshake(app)) for _ in range(2)]
    await asyncio.sleep(0)
    assert (await handshake(app)).status == 429
    other = asyncio.create_task(handshake(app, client="192.0.2.8"))
    await asyncio.sleep(0)
    ends.set()
    assert [answer.status for answer in await asyncio.gather(*first, other)] == [101] * 3
    assert (await handshake(app)).status == 101


async def test_requests_pass_by() -> None:
    app = Handshakes(answering(), settings(rate_limit_scale=0.001))
    for _ in range(3):
        assert (await call(app, scope_of(headers=[(b"origin", b"https://evil.example")]))).status == 200
