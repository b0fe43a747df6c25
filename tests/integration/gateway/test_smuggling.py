"""Requests that two servers would read differently: what reaches the service is one request, or none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway.servers import Gateway, gateway_to, listening, raw_exchange

HEAD = b"POST /api/orders/ HTTP/1.1\r\nHost: h\r\n"
SMUGGLED = b"GET /api/orders/smuggled/ HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKS = b"0\r\n\r\n" + SMUGGLED


class Recorder:
    """An upstream that keeps every byte that it is sent."""

    def __init__(self) -> None:
        self.received = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.received += data
            if data.endswith((b"\r\n\r\n", b"abc")):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def gateway(recorder: Recorder) -> AsyncIterator[Gateway]:
    async with listening(recorder) as url, gateway_to(orders_url=url, upstream_timeout="2s") as client:
        yield client


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc", id="two lengths"),
        pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", id="two equal lengths"),
        pytest.param(HEAD + b"Content-Length: 3, 3\r\n\r\nabc", id="list of lengths"),
        pytest.param(HEAD + b"Content-Length: +3\r\n\r\nabc", id="signed length"),
        pytest.param(HEAD + b"Content-Length: 0x3\r\n\r\nabc", id="hexadecimal length"),
        pytest.param(HEAD + b"Content-Length: \r\n\r\nabc", id="no length"),
        pytest.param(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, id="length, chunked"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS, id="chunked, length"),
        pytest.param(HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS, id="coding nobody knows"),
        pytest.param(HEAD + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS, id="identity"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, id="two codings"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS, id="chunked not last"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS, id="coding twice"
        ),
        pytest.param(HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS, id="space before the colon"),
        pytest.param(HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS, id="vertical tab"),
        pytest.param(HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS, id="folded coding"),
        pytest.param(HEAD + b"X: a\r\n b\r\n\r\n" + SMUGGLED, id="folded line"),
        pytest.param(b"POST /api/orders/ HTTP/1.1\r\n Host: h\r\n\r\n", id="space before the first header"),
        pytest.param(b"GET /api/orders/ HTTP/1.1\nHost: h\n\n", id="bare line feeds"),
        pytest.param(HEAD + b"X: y\nContent-Length: 0\r\n\r\n", id="one bare line feed"),
        pytest.param(HEAD + b"X: y\rContent-Length: 0\r\n\r\n", id="bare carriage return"),
        pytest.param(HEAD + b"X: a\x00b\r\n\r\n", id="NUL in a value"),
        pytest.param(HEAD + b"X\x00: b\r\n\r\n", id="NUL in a name"),
        pytest.param(HEAD + b"X Y: b\r\n\r\n", id="space in a name"),
        pytest.param(HEAD + b": b\r\n\r\n", id="no name"),
        pytest.param(b"GET /api/orders/ HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /api/orders/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /api/orders/\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /api/orders/ HTTP/2.0\r\nHost: h\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="preface of HTTP/2"),
        pytest.param(b"POST /api/orders/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, id="1.0 chunked"),
        pytest.param(
            HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 49\r\n\r\n" + SMUGGLED,
            id="body of an upgrade",
        ),
        pytest.param(
            HEAD + b"Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
            id="body of a WebSocket",
        ),
        pytest.param(b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED, id="CONNECT"),
    ],
)
async def test_what_can_be_read_in_two_ways_is_400_and_reaches_nobody(
    gateway: Gateway, recorder: Recorder, request_: bytes
) -> None:
    raw = await raw_exchange(gateway.base_url, request_)
    assert raw.startswith(b"HTTP/1.1 400")
    assert raw.count(b"HTTP/1.1 ") == 1
    assert recorder.received == b""


@pytest.mark.parametrize(
    "body", [b"1\nx\r\n0\r\n\r\n", b"0x1\r\nx\r\n0\r\n\r\n", b"1 \r\nx\r\n", b"1\r\nxx\r\n", b"ffffffffffffffff0\r\n"]
)
async def test_chunks_that_are_none_are_400_and_the_service_sees_no_end(
    gateway: Gateway, recorder: Recorder, body: bytes
) -> None:
    raw = await raw_exchange(gateway.base_url, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + SMUGGLED)
    assert raw.startswith(b"HTTP/1.1 400")
    assert b"smuggled" not in recorder.received
    assert not recorder.received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(HEAD + b"Content-Length: 3 \r\nConnection: close, content-length\r\n\r\nabc", id="length named"),
        pytest.param(HEAD + b"Content-Length: 003\r\nConnection: close\r\n\r\nabc", id="zeros before a length"),
        pytest.param(
            HEAD + b"Transfer-Encoding: CHUNKED\r\nConnection: close\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
            id="capitals, extension, trailer",
        ),
        pytest.param(HEAD + b"Connection: close\r\n\r\n" + SMUGGLED, id="more after a close"),
        pytest.param(
            HEAD + b"Connection: close, transfer-encoding, host\r\n\r\n" + SMUGGLED, id="headers of the hop named"
        ),
    ],
)
async def test_what_is_odd_but_has_one_meaning_reaches_the_service_as_one_plain_request(
    gateway: Gateway, recorder: Recorder, request_: bytes
) -> None:
    raw = await raw_exchange(gateway.base_url, request_)
    assert raw.count(b"HTTP/1.1 200") == raw.count(b"HTTP/1.1 ") == 1
    assert recorder.received.count(b" HTTP/1.1\r\n") == 1
    assert recorder.received.count(b"Host: ") == 1
    lowered = recorder.received.lower()
    assert lowered.count(b"content-length") + lowered.count(b"transfer-encoding") == 1
    assert b"smuggled" not in lowered
    assert b"x-t:" not in lowered


@pytest.mark.parametrize(
    "target",
    [
        "/internal/",
        "/INTERNAL/",
        "/%69nternal/users/1/",
        "//internal/users/1/",
        "/api/orders/..%2finternal/",
        "/api/orders/%2e%2e/%2e%2e/internal/",
        "/api/orders/%2e./internal/",
        "/api/orders/..;/../metrics",
        "/api/orders/..\\internal",
        "http://h/internal/users/1/",
        "/health/live/x",
        "/metrics",
        "/%6detrics",
        "/./metrics",
        "*",
    ],
)
async def test_what_is_internal_is_reached_by_no_spelling(gateway: Gateway, recorder: Recorder, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    raw = await raw_exchange(gateway.base_url, request.encode())
    assert raw.split(b" ", 2)[1] in (b"400", b"404")
    assert recorder.received == b""
