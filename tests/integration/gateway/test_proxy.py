"""HTTP through the gateway is what it was on the other side, byte for byte where it can be."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.proxy import READ_AHEAD
from tests.integration.gateway.servers import eventually, gateway_to, listening, raw_exchange, serving


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what it was asked, with two cookies."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    said = {
        "method": scope["method"],
        "target": scope["raw_path"].decode() + "?" + scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode(),
    }
    headers = [(b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2; Path=/"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


@pytest.fixture
async def gateway() -> AsyncIterator[httpx.AsyncClient]:
    """A gateway to an accounts service that echoes."""
    async with serving(echo, lifespan="off") as url, gateway_to(accounts_url=url) as client:
        yield client


def raw_get(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: h", "Connection: close", *headers, "", ""]).encode()


async def echoed(gateway: httpx.AsyncClient, request: bytes) -> dict[str, Any]:
    answer = await raw_exchange(gateway.base_url, request)
    body = answer.partition(b"\r\n\r\n")[2]
    found: dict[str, Any] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return found


def values(said: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in said["headers"] if key == name]


@pytest.mark.parametrize(
    "target",
    [
        "/api/users/a%2Fb/",
        "/api/users/a%2fb/%41%7e~!$&'()*+,;=:@/",
        "/api/users/?search=%D0%BF%20x&near=41.3,69.2",
        "/api/users/?search=a+b&x=%2B&empty=&&y=[1]&z=a?b/c|d",
        "/api/users//double//?",
        "/api/users/%25zz/?q=%zz%",
    ],
)
async def test_path_and_query_arrive_as_they_were_written(gateway: httpx.AsyncClient, target: str) -> None:
    said = await echoed(gateway, raw_get(target))
    assert said["target"].rstrip("?") == target.rstrip("?")


@pytest.mark.parametrize("target", ["/api/users/../../internal/x/", "/api/users/%2e%2e/%2E%2e/internal/x/"])
async def test_dot_segments_go_nowhere(gateway: httpx.AsyncClient, target: str) -> None:
    assert (await raw_exchange(gateway.base_url, raw_get(target))).startswith(b"HTTP/1.1 404")


async def test_headers_arrive_as_they_were_with_none_added(gateway: httpx.AsyncClient) -> None:
    request = raw_get("/api/users/", "X-Twice: 1", "X-Twice: 2", "Cookie: s=1", "X-Request-ID: mine", "X-User-Id: 7")
    said = await echoed(gateway, request)

    assert values(said, "host") not in (["h"], [gateway.base_url.netloc.decode()])
    assert sorted(name for name, _ in said["headers"]) == [
        "cookie",
        "forwarded",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
        "x-twice",
        "x-twice",
    ]
    assert values(said, "x-twice") == ["1", "2"]
    assert values(said, "x-request-id") == ["mine"]
    assert values(said, "x-forwarded-for") == ["127.0.0.1"]
    assert values(said, "x-forwarded-host") == ["h"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "POST"])
async def test_what_has_no_body_is_sent_without_one(method: str) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with listening(answer) as url, gateway_to(accounts_url=url) as gateway:
        assert (await gateway.request(method, "/api/users/1/")).status_code == 200
    assert b"transfer-encoding" not in heads[0].lower()


async def test_a_body_arrives_with_its_length_or_in_chunks_as_it_was_sent(gateway: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    whole = (await gateway.post("/api/users/", content=b"one two", headers={"Content-Type": "a/b"})).json()
    chunked = (await gateway.put("/api/users/", content=chunks())).json()

    assert whole["body"] == chunked["body"] == "one two"
    assert values(whole, "content-length") == ["7"]
    assert values(whole, "content-type") == ["a/b"]
    assert values(chunked, "content-length") == []
    assert values(chunked, "transfer-encoding") == ["chunked"]
    assert values(chunked, "content-type") == []


async def test_a_client_that_waits_for_100_continue_gets_it_and_the_answer(gateway: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
    writer.write(b"POST /api/users/ HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_cookies_go_to_the_client_each_on_its_own_and_are_not_kept(gateway: httpx.AsyncClient) -> None:
    first = await gateway.get("/api/users/")
    gateway.cookies.clear()
    second = await gateway.get("/api/users/")

    assert first.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    assert values(second.json(), "cookie") == []


async def test_an_answer_has_one_of_each_header_of_the_hop(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/api/users/", headers={"X-Request-ID": "mine"})

    assert answer.headers.get_list("x-request-id") == ["mine"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert len(answer.headers.get_list("date")) == 1
    assert "server" not in answer.headers


async def test_an_encoded_answer_is_passed_on_as_it_is() -> None:
    packed = gzip.compress(b"hello " * 100)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-encoding", b"gzip"), (b"content-length", str(len(packed)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": packed})

    async with serving(app, lifespan="off") as url, gateway_to(catalog_url=url) as gateway:
        async with gateway.stream("GET", "/api/services/") as answer:
            assert b"".join([part async for part in answer.aiter_raw()]) == packed
        assert answer.headers["content-length"] == str(len(packed))
        head = await gateway.head("/api/services/")
    assert head.headers["content-length"] == str(len(packed))
    assert head.content == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_can_have_no_body_may_still_name_a_length(status: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 %d X\r\nContent-Length: 9\r\nETag: "1"\r\n\r\n' % status)

    async with listening(answer) as url, gateway_to(catalog_url=url) as gateway:
        for _ in range(2):
            found = await gateway.get("/api/services/")
            assert (found.status_code, found.headers["etag"]) == (status, '"1"')


async def test_redirects_are_the_clients_to_follow() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    async with listening(answer) as url, gateway_to(catalog_url=url) as gateway:
        assert (await gateway.get("/api/services/")).headers["location"] == "http://127.0.0.1:1/"


async def test_an_answer_is_streamed_its_first_part_arrives_before_its_last_is_sent() -> None:
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await proceed.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async with (
        serving(app, lifespan="off") as url,
        gateway_to(orders_url=url) as gateway,
        gateway.stream("GET", "/api/orders/") as answer,
    ):
        parts = answer.aiter_raw()
        assert await anext(parts) == b"first"
        proceed.set()
        assert await anext(parts) == b"last"


async def test_a_request_is_streamed_its_first_part_arrives_before_its_last_is_sent() -> None:
    arrived = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        missing = READ_AHEAD
        while missing:
            missing -= len((await receive())["body"])
        arrived.set()
        last = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": last["body"]})

    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * READ_AHEAD
        await asyncio.wait_for(arrived.wait(), 30)
        yield b"last"

    async with serving(app, lifespan="off") as url, gateway_to(orders_url=url) as gateway:
        assert (await gateway.post("/api/orders/create/", content=parts())).content == b"last"


async def test_a_large_body_goes_both_ways_whole(gateway: httpx.AsyncClient) -> None:
    large = "0123456789abcdef" * 200_000
    assert (await gateway.post("/api/users/", content=large.encode())).json()["body"] == large


async def test_an_upstream_may_answer_before_it_has_read_the_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    async with serving(app, lifespan="off") as url, gateway_to(orders_url=url) as gateway:
        answer = await gateway.post("/api/orders/create/", content=slow())
        assert (answer.status_code, answer.content) == (413, b"no")


async def test_a_client_that_leaves_ends_the_upstream_request_too() -> None:
    left = asyncio.Event()
    reached = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        reached.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    before = len(asyncio.all_tasks())
    async with serving(app, lifespan="off") as url, gateway_to(orders_url=url) as gateway:
        length = b"Content-Length: %d\r\n" % (READ_AHEAD + 9)
        for head, body in ((b"", b""), (length, b"x" * READ_AHEAD)):  # awaiting the answer, and amid its own body
            left.clear()
            reached.clear()
            _, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
            writer.write(b"POST /api/orders/create/ HTTP/1.1\r\nHost: h\r\n%b\r\n%b" % (head, body))
            await asyncio.wait_for(reached.wait(), 30)
            writer.close()
            await asyncio.wait_for(left.wait(), 30)
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


async def test_what_is_not_routed_is_a_problem_document(gateway: httpx.AsyncClient) -> None:
    for path in ("/internal/users/1/", "/openapi.json", "/metrics", "/nothing"):
        answer = await gateway.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "not-found"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_methods_that_speak_to_the_hop_are_not_passed_on(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.request("TRACE", "/api/users/")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
