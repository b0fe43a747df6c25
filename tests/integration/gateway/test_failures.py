"""When a service fails, its client hears how, and no other service's client notices."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from tests.integration.gateway.servers import Handler, gateway_to, listening, raw_exchange, serving
from tests.support.process import free_port


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == slug
    assert answer.json()["instance"] == "/api/orders/"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_service_that_is_away_is_503_and_says_when_to_come_again() -> None:
    async with serving(ok, lifespan="off") as url, gateway_to(catalog_url=url) as gateway:
        began = time.monotonic()
        away = await gateway.post("/api/orders/", json={})
        assert time.monotonic() - began < 0.5
        assert_problem(away, 503, "unavailable")
        assert away.headers["retry-after"] == "1"
        assert (await gateway.get("/api/services/")).text == "ok"


async def test_a_service_that_does_not_answer_in_time_is_504() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with listening(hang) as url, gateway_to(orders_url=url, upstream_timeout="200ms") as gateway:
        assert_problem(await gateway.get("/api/orders/"), 504, "gateway-timeout")


async def test_a_service_that_does_not_read_the_body_is_504_too() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    settings = {"upstream_timeout": "200ms", "max_body_size": 2**26}
    async with listening(hang) as url, gateway_to(orders_url=url, **settings) as gateway:
        assert_problem(await gateway.post("/api/orders/", content=b"x" * 20_000_000), 504, "gateway-timeout")


async def test_a_slow_client_does_not_spend_the_services_time() -> None:
    async def slow() -> Any:
        for _ in range(8):
            await asyncio.sleep(0.2)
            yield b"x"

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        size = 0
        while (message := await receive()).get("more_body"):
            size += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % (size + len(message["body"]))})

    async with serving(count, lifespan="off") as url, gateway_to(orders_url=url, upstream_timeout="1s") as gateway:
        assert (await gateway.post("/api/orders/", content=slow())).text == "8"


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)
    writer.transport.abort()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")


async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")


@pytest.mark.parametrize("misbehave", [hang_up, reset, babble, switch])
async def test_an_answer_that_is_none_is_502(misbehave: Handler) -> None:
    async with listening(misbehave) as url, gateway_to(orders_url=url) as gateway:
        assert_problem(await gateway.post("/api/orders/", json={}), 502, "bad-gateway")


@pytest.mark.parametrize(("method", "body", "times"), [("GET", b"", 2), ("HEAD", b"", 2), ("GET", b"x", 1)])
@pytest.mark.parametrize("misbehave", [hang_up, reset])
async def test_only_what_is_safe_is_asked_again_and_only_once(
    method: str, body: bytes, times: int, misbehave: Handler
) -> None:
    await _assert_asked(method, body, times, misbehave)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_changes_something_is_never_asked_again(method: str) -> None:
    await _assert_asked(method, b"", 1, hang_up)
    await _assert_asked(method, b"x", 1, hang_up)


async def _assert_asked(method: str, body: bytes, times: int, misbehave: Handler) -> None:
    """The connection was good once: libraries like to repeat by themselves what fails on such a one."""
    asked = 0

    async def good_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        if not asked:
            await head_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await head_of(reader)
        asked += 1
        if misbehave is reset:
            writer.transport.abort()

    async with listening(good_once) as url, gateway_to(orders_url=url) as gateway:
        assert (await gateway.get("/api/orders/")).status_code == 200
        assert (await gateway.request(method, "/api/orders/", content=body)).status_code == 502
    assert asked == times


async def half_with_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


async def half_of_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


async def half_and_silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await half_of_chunks(reader, writer)
    await asyncio.sleep(60)


@pytest.mark.parametrize("half", [half_with_length, half_of_chunks, half_and_silence])
async def test_an_answer_that_breaks_off_is_seen_to_be_cut(half: Handler) -> None:
    request = b"GET /api/orders/ HTTP/1.1\r\nHost: h\r\n\r\n"
    async with listening(half) as url, gateway_to(orders_url=url, upstream_timeout="1s") as gateway:
        raw = await raw_exchange(gateway.base_url, request)
        with pytest.raises(httpx.RemoteProtocolError):
            await gateway.get("/api/orders/")
    assert raw.startswith(b"HTTP/1.1 200")
    assert b"half" in raw
    assert b"\r\n0\r\n\r\n" not in raw


async def test_a_service_that_is_full_is_503_and_the_others_do_not_notice() -> None:
    release, arrived = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.release()
        await release.wait()
        await ok(scope, receive, send)

    limits: dict[str, Any] = {"upstream_connections": 2, "upstream_connect_timeout": "1s"}
    async with (
        serving(slow, lifespan="off") as slow_url,
        serving(ok, lifespan="off") as url,
        gateway_to(orders_url=slow_url, catalog_url=url, **limits) as gateway,
    ):
        held = [asyncio.create_task(gateway.get("/api/orders/")) for _ in range(2)]
        for _ in held:
            await arrived.acquire()
        full = await gateway.get("/api/orders/")
        assert_problem(full, 503, "unavailable")
        assert full.headers["retry-after"] == "1"
        assert (await gateway.get("/api/services/")).text == "ok"
        release.set()
        assert [(await answer).text for answer in held] == ["ok", "ok"]
        assert (await gateway.get("/api/orders/")).text == "ok"


async def test_places_are_given_back_however_an_exchange_ended() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await asyncio.sleep(60)

    limits: dict[str, Any] = {
        "upstream_connections": 1,
        "upstream_connect_timeout": "2s",
        "upstream_timeout": "300ms",
        "breaker_failures": 100,
    }
    async with listening(hang) as url, gateway_to(orders_url=url, **limits) as gateway:
        for _ in range(3):
            _, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
            writer.write(b"GET /api/orders/ HTTP/1.1\r\nHost: h\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.02)
            assert_problem(await gateway.get("/api/orders/"), 504, "gateway-timeout")


async def test_a_service_that_comes_back_is_asked_again() -> None:
    port = free_port()
    async with gateway_to(orders_url=f"http://127.0.0.1:{port}") as gateway:
        assert (await gateway.get("/api/orders/")).status_code == 503
        for _ in range(2):
            async with serving(ok, port, lifespan="off"):
                assert (await gateway.post("/api/orders/")).text == "ok"
