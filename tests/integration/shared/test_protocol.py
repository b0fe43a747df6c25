"""What our server does with clients that are slow, silent, large, or speak two languages at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import Receive, Scope, Send

from shared.http.limits import Limits
from shared.http.server import server_config
from tests.integration.gateway.servers import SOON, eventually, raw_exchange, running

QUICK = Limits(head_time=0.3, body_grace=0.3, linger=0.3)
NEVER = Limits(head_time=600, body_grace=600, linger=0.3)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class App:
    """Answers with the size of the body, and keeps what became of each request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[tuple[bytes, bytes]], bytes | None]] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/early":
            await answer(send, b"early")
            return
        if path == "/slow":
            await self.go.wait()
        body: bytes | None = b""
        while body is not None:
            message = await receive()
            body = None if message["type"] == "http.disconnect" else body + message["body"]
            if not message.get("more_body"):
                break
        self.seen.append((path, list(scope["headers"]), body))
        await answer(send, b"%d" % len(body or b""))


async def answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def app() -> App:
    return App()


@asynccontextmanager
async def served(app: App, limits: Limits) -> AsyncIterator[str]:
    config = server_config(app, limits)
    config.lifespan = "off"
    async with running(config) as (url, _):
        yield url


def status_of(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1])


async def test_a_head_that_does_not_end_is_408(app: App) -> None:
    async with served(app, QUICK) as url:
        raw = await raw_exchange(url, b"GET / HTTP/1.1\r\nHost: h\r\n")
    assert status_of(raw) == 408
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert json.loads(body)["type"] == "request-timeout"


async def test_a_head_that_drips_is_408_and_so_are_its_successors_on_the_connection(app: App) -> None:
    async with served(app, QUICK) as url:
        for before in (b"", GET):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(before + b"GET / HTTP/1.1\r\n")
            drip = asyncio.create_task(_drip(writer))
            async with asyncio.timeout(SOON):
                raw = await reader.read()
            drip.cancel()
            writer.close()
            assert raw.count(b"HTTP/1.1 200") == bool(before)
            assert b"HTTP/1.1 408" in raw


async def _drip(writer: asyncio.StreamWriter, what: bytes = b"X") -> None:
    while True:
        writer.write(what)
        await asyncio.sleep(0.02)


async def test_a_new_connection_that_says_nothing_is_closed_without_a_word(app: App) -> None:
    async with served(app, QUICK) as url:
        assert await raw_exchange(url, b"") == b""


async def test_blank_lines_before_a_head_buy_no_time(app: App) -> None:
    async with served(app, QUICK) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        drip = asyncio.create_task(_drip(writer, b"\r\n"))
        async with asyncio.timeout(SOON):
            assert b"408" in await reader.read()
        drip.cancel()


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("sent", [b"", b"5\r\nabcde\r\n"])
async def test_a_body_that_does_not_come_is_408_and_the_application_hears_that_the_client_has_left(
    app: App, framing: bytes, sent: bytes
) -> None:
    async with served(app, QUICK) as url:
        raw = await raw_exchange(url, b"POST / HTTP/1.1\r\nHost: h\r\n%b\r\n%b" % (framing, sent))
        assert status_of(raw) == 408
        await eventually(lambda: bool(app.seen))
    assert app.seen[0][2] is None


async def test_a_body_slower_than_the_rate_is_408(app: App) -> None:
    async with served(app, QUICK) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
        drip = asyncio.create_task(_drip(writer))
        async with asyncio.timeout(SOON):
            assert status_of(await reader.read()) == 408
        drip.cancel()


async def test_what_came_quickly_is_no_credit_for_silence(app: App) -> None:
    async with served(app, QUICK) as url:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n"
        assert status_of(await raw_exchange(url, head + b"x" * 1_000_000)) == 408


async def test_a_body_above_the_rate_is_taken_however_long_it_is_under_way(app: App) -> None:
    async def parts(writer: asyncio.StreamWriter) -> None:
        for _ in range(30):
            writer.write(b"x" * 2000)
            await asyncio.sleep(0.03)

    async with served(app, QUICK) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n")
        await parts(writer)
        async with asyncio.timeout(SOON):
            assert (await reader.read()).endswith(b"60000")


async def test_time_for_which_the_application_does_not_read_is_not_the_clients(app: App) -> None:
    body = b"x" * 30_000_000
    async with served(app, Limits(head_time=0.3, body_grace=0.3, body_size=len(body))) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await asyncio.sleep(1)
        app.go.set()
        async with asyncio.timeout(30):
            assert (await reader.read()).endswith(b"%d" % len(body))


async def test_a_client_that_waits_for_100_continue_is_not_late(app: App) -> None:
    async with served(app, QUICK) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        await asyncio.sleep(1)
        app.go.set()
        async with asyncio.timeout(SOON):
            assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"hi")
            assert status_of(await reader.readuntil(b"\r\n\r\n")) == 200
        writer.close()


@pytest.mark.parametrize("name", [b"X", b"X" * 20_000])
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_headers_over_their_size_are_431_whether_they_end_or_not(app: App, name: bytes, end: bytes) -> None:
    async with served(app, NEVER) as url:
        raw = await raw_exchange(url, b"GET / HTTP/1.1\r\nHost: h\r\n%b: %b%b" % (name, b"y" * 20_000, end))
    assert status_of(raw) == 431
    assert app.seen == []


async def test_headers_below_their_size_are_taken(app: App) -> None:
    async with served(app, NEVER) as url:
        request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: %b\r\n\r\n" % (b"y" * 15_000)
        assert status_of(await raw_exchange(url, request)) == 200


@pytest.mark.parametrize("endless", [b"1;" + b"e" * 600_000, b"0\r\nX-Trailer: " + b"t" * 600_000])
async def test_what_stands_around_a_body_has_the_size_of_a_head_at_most(app: App, endless: bytes) -> None:
    async with served(app, NEVER) as url:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert status_of(await raw_exchange(url, head + endless)) == 431


@pytest.mark.parametrize("framing", [b"Content-Length: 2001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n7d1\r\n"])
async def test_a_body_over_its_size_is_413_and_the_application_sees_no_end(app: App, framing: bytes) -> None:
    async with served(app, Limits(body_size=2000, linger=0.3)) as url:
        raw = await raw_exchange(url, b"POST / HTTP/1.1\r\nHost: h\r\n" + framing + b"x" * 2001)
        assert status_of(raw) == 413
        await eventually(lambda: bool(app.seen))
    assert app.seen[0][2] is None


async def test_trailers_do_not_come_to_stand_among_the_headers(app: App) -> None:
    async with served(app, NEVER) as url:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = await raw_exchange(url, head + b"1\r\nx\r\n0\r\nX-User-Id: 7\r\n\r\n")
    assert status_of(raw) == 200
    assert b"x-user-id" not in dict(app.seen[0][1])


async def test_pipelined_requests_are_answered_in_turn(app: App) -> None:
    async with served(app, NEVER) as url:
        post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        last = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        raw = await raw_exchange(url, GET + post + last)
    assert [part[-1:] for part in raw.split(b"HTTP/1.1 200 OK")[1:]] == [b"0", b"3", b"0"]


async def test_rubbish_after_a_request_does_not_spoil_its_answer(app: App) -> None:
    async with served(app, NEVER) as url:
        sent = asyncio.create_task(raw_exchange(url, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n" + b"\x00rubbish\r\n"))
        await asyncio.sleep(0.1)
        app.go.set()
        raw = await sent
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.count(b"HTTP/1.1") == 1


async def test_an_answer_before_the_bodys_end_can_be_read_and_ends_a_connection_that_pours(app: App) -> None:
    async with served(app, NEVER) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1_000_000)
        async with asyncio.timeout(SOON):
            assert (await reader.read()).endswith(b"early")
        writer.close()


async def test_what_a_client_pours_after_its_answer_is_thrown_away_at_leisure(app: App) -> None:
    async with served(app, Limits(body_grace=600, linger=0.5, linger_pace=0.1)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n")
        await reader.readuntil(b"early")
        poured = 0
        with suppress(OSError):
            while poured < 200_000_000:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                poured += 1_000_000
    assert 1_000_000 <= poured < 50_000_000  # the kernel's buffers, and a few pieces


async def test_an_answer_before_the_end_of_a_small_body_leaves_the_connection_good(app: App) -> None:
    async with served(app, NEVER) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        async with asyncio.timeout(SOON):
            await reader.readuntil(b"early")
            writer.write(b"abcde" + GET)
            assert status_of(await reader.readuntil(b"\r\n\r\n")) == 200
        writer.close()


async def test_a_connection_too_many_is_turned_away_and_the_others_do_not_notice(app: App) -> None:
    async with served(app, Limits(connections=1)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n0")
        assert status_of(await raw_exchange(url, b"")) == 503
        writer.write(GET)
        async with asyncio.timeout(SOON):
            assert status_of(await reader.readuntil(b"\r\n\r\n0")) == 200
        writer.close()
