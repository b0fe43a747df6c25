"""Bodies: how large one may be, how little of it is held, and what an upstream sees of one that is refused."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import httpx
import psutil
import pytest
from starlette.types import Receive, Scope, Send

from gateway.proxy import READ_AHEAD
from shared.http.limits import Limits
from tests.integration.gateway.servers import SOON, eventually, gateway_to, listening, raw_exchange, serving

MIB = 2**20
GET = b"GET /api/orders/ HTTP/1.1\r\nHost: h\r\n\r\n"


class Digest:
    """An upstream that answers with the digest of a body, and keeps how much of each it saw, and whether it ended."""

    def __init__(self) -> None:
        self.bodies: list[tuple[int, bool]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest, size = hashlib.sha256(), 0
        while True:
            message = await receive()
            digest.update(message.get("body", b""))
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        self.bodies.append((size, message["type"] == "http.request"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": digest.hexdigest().encode()})


@pytest.fixture
async def digest() -> Digest:
    return Digest()


@pytest.fixture
async def upstream(digest: Digest) -> AsyncIterator[str]:
    async with serving(digest, lifespan="off") as url:
        yield url


async def parts(size: int) -> AsyncIterator[bytes]:
    part = bytes(range(256)) * 256
    for _ in range(size // len(part)):
        yield part


def assert_too_large(answer: httpx.Response) -> None:
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.json()["type"] == "content-too-large"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_picture_of_8_mib_passes_whole(upstream: str, chunked: bool) -> None:
    body = bytes(range(256)) * (8 * MIB // 256)
    async with gateway_to(catalog_url=upstream) as gateway:
        answer = await gateway.post("/api/services/1/images/", content=parts(8 * MIB) if chunked else body)
    assert answer.text == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_just_the_limit_passes_and_one_byte_more_is_413(upstream: str, chunked: bool) -> None:
    async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
        yield body

    async with gateway_to(orders_url=upstream, max_body_size=1000) as gateway:
        for size, status in ((1000, 200), (1001, 413)):
            body = b"x" * size
            answer = await gateway.post("/api/orders/", content=in_chunks(body) if chunked else body)
            assert answer.status_code == status


async def test_a_length_over_the_limit_is_refused_before_any_of_the_body_comes(upstream: str, digest: Digest) -> None:
    async with gateway_to(orders_url=upstream) as gateway:
        raw = await raw_exchange(
            gateway.base_url, b"POST /api/orders/ HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (11 * MIB)
        )
    assert raw.startswith(b"HTTP/1.1 413")
    assert digest.bodies == []


async def test_of_a_body_that_turns_out_too_large_the_service_sees_no_end(upstream: str, digest: Digest) -> None:
    async with gateway_to(orders_url=upstream, max_body_size=MIB) as gateway:
        assert_too_large(await gateway.post("/api/orders/", content=parts(3 * MIB)))
        await eventually(lambda: bool(digest.bodies))
        assert (await gateway.get("/api/orders/")).status_code == 200
    size, whole = digest.bodies[0]
    assert size <= MIB
    assert not whole


@pytest.mark.parametrize("head", [b"Content-Length: %d\r\n" % (5 * 2**30), b"Transfer-Encoding: chunked\r\n"])
async def test_of_5_gib_little_is_taken_and_nothing_kept(upstream: str, head: bytes) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    before = psutil.Process().memory_info().rss
    sent = 0
    async with gateway_to(orders_url=upstream) as gateway:
        reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
        writer.write(b"POST /api/orders/ HTTP/1.1\r\nHost: h\r\n%b\r\n" % head)
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while sent < 5 * 2**30 and not answer.done():
            writer.write(chunk)
            await writer.drain()
            sent += 0x10000
        assert (await answer).startswith(b"HTTP/1.1 413")
        async with asyncio.timeout(SOON):
            await reader.read()
        writer.close()
    assert sent < 100 * MIB
    assert psutil.Process().memory_info().rss - before < 100 * MIB


async def test_an_answer_of_any_size_is_held_only_as_far_as_the_client_is_behind() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
        while sent < 2_000_000_000:
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    settings = {"client_send_timeout": "500ms"}
    quick = Limits(head_time=0.5)
    before = psutil.Process().memory_info().rss
    async with listening(endless) as url, gateway_to(limits=quick, orders_url=url, **settings) as gateway:
        reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port, limit=1024)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        state = gateway.server.server_state
        await eventually(lambda: not state.tasks)  # it is given up, with its place
        await eventually(lambda: not state.connections)
        writer.close()
    assert sent < 100 * MIB
    assert psutil.Process().memory_info().rss - before < 100 * MIB


@pytest.mark.parametrize("begun", [b"", b"a few bytes"])
async def test_clients_whose_bodies_do_not_come_take_no_place_from_others(
    upstream: str, digest: Digest, begun: bytes
) -> None:
    async with gateway_to(orders_url=upstream, upstream_connections=1) as gateway:
        waiting = []
        for _ in range(5):
            _, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
            writer.write(b"POST /api/orders/ HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n" + begun)
            waiting.append(writer)
        await eventually(lambda: len(gateway.server.server_state.tasks) == 5)
        assert (await gateway.get("/api/orders/")).status_code == 200
        for writer in waiting:
            writer.close()
    assert len(digest.bodies) == 1


async def test_large_bodies_that_are_still_coming_have_a_fifth_of_the_places(upstream: str) -> None:
    patience = {"upstream_connections": 5, "upstream_connect_timeout": "200ms"}
    async with gateway_to(orders_url=upstream, **patience) as gateway:
        _, slow = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
        head = b"POST /api/orders/ HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n"
        slow.write(head + b"x" * 2 * READ_AHEAD)
        await eventually(lambda: len(gateway.server.server_state.tasks) == 1)
        busy = await gateway.post("/api/orders/", content=parts(2 * READ_AHEAD))
        while busy.status_code == 200:  # the slow one was not there yet
            busy = await gateway.post("/api/orders/", content=parts(2 * READ_AHEAD))
        assert busy.status_code == 503
        for body in (b"", b"small"):
            assert (await gateway.post("/api/orders/", content=body)).status_code == 200
        slow.close()


async def test_a_client_that_sends_a_byte_now_and_then_is_408_and_the_service_sees_no_end(
    upstream: str, digest: Digest
) -> None:
    quick = Limits(body_grace=0.3, body_rate=2**20, linger=0.3)
    async with gateway_to(limits=quick, orders_url=upstream) as gateway:
        reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
        head = b"POST /api/orders/ HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n"
        writer.write(head + b"x" * READ_AHEAD)
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answer.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert (await answer).startswith(b"HTTP/1.1 408")
        assert (await gateway.get("/api/orders/")).status_code == 200
        await eventually(lambda: len(digest.bodies) == 2)
        writer.close()
    assert [whole for _, whole in digest.bodies].count(False) == 1


async def test_an_idle_answer_is_cut_by_the_time_between_its_parts() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await asyncio.sleep(60)

    async with listening(half) as url, gateway_to(orders_url=url, upstream_timeout="200ms") as gateway:
        raw = await raw_exchange(gateway.base_url, GET)
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b"half")
