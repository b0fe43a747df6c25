"""Several instances of a service, some of them ill: who is asked, who is asked again, and who is left alone."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from tests.integration.gateway.servers import Gateway, Handler, eventually, gateway_to, listening, serving
from tests.support.process import free_port


class Service:
    """An instance that says its name, and counts whom it answered."""

    def __init__(self, name: bytes, status: int = 200) -> None:
        self.name, self.status, self.asked = name, status, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.name})


async def answers(gateway: Gateway, method: str = "GET", times: int = 20) -> Counter[str]:
    return Counter([(await gateway.request(method, "/api/orders/", content=b"")).text for _ in range(times)])


def gone() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_requests_are_shared_among_the_instances() -> None:
    async with (
        serving(Service(b"a"), lifespan="off") as a,
        serving(Service(b"b"), lifespan="off") as b,
        gateway_to(orders_url=f"{a}, {b}/") as gateway,
    ):
        assert await answers(gateway) == {"a": 10, "b": 10}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_instance_that_is_gone_is_seen_by_no_client(method: str) -> None:
    async with serving(Service(b"a"), lifespan="off") as a, gateway_to(orders_url=f"{gone()},{a}") as gateway:
        assert await answers(gateway, method) == {"a": 20}


async def test_a_body_goes_whole_to_the_other_instance_when_the_first_is_gone() -> None:
    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % size})

    async with serving(count, lifespan="off") as a, gateway_to(orders_url=f"{gone()},{a}") as gateway:
        for _ in range(4):
            assert (await gateway.post("/api/orders/", content=b"x" * 1_000_000)).text == "1000000"


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\xff rubbish\r\n\r\n")


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    await asyncio.sleep(60)


@pytest.mark.parametrize("ill", [hang_up, reset, rubbish])
async def test_of_an_ill_instance_readers_see_nothing_and_writers_little(ill: Handler) -> None:
    async with (
        listening(ill) as url,
        serving(Service(b"a"), lifespan="off") as a,
        gateway_to(orders_url=f"{url},{a}", breaker_failures=1, breaker_pause="60s") as gateway,
    ):
        assert await answers(gateway, "GET") == {"a": 20}
        assert await answers(gateway, "POST") == {"a": 20}


@pytest.mark.parametrize("ill", [hang_up, reset, rubbish, hang, None])
async def test_after_failures_in_a_row_a_service_is_left_alone_and_its_clients_are_told_at_once(
    ill: Handler | None,
) -> None:
    reached = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        assert ill
        await ill(reader, writer)

    limits = {"breaker_failures": 3, "breaker_pause": "60s", "upstream_timeout": "200ms"}
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(counted)) if ill else gone()
        gateway = await stack.enter_async_context(gateway_to(orders_url=url, **limits))
        for _ in range(3):
            assert (await gateway.post("/api/orders/")).status_code in (502, 503, 504)
        before = reached
        refused = await gateway.post("/api/orders/")
        assert refused.status_code == 503
        assert refused.json()["type"] == "unavailable"
        assert 50 <= int(refused.headers["retry-after"]) <= 60
        assert reached == before


@pytest.mark.parametrize("status", [500, 503])
async def test_an_error_that_a_service_answers_is_an_answer_and_opens_nothing(status: int) -> None:
    ill = Service(b"sorry", status)
    async with serving(ill, lifespan="off") as url, gateway_to(orders_url=url, breaker_failures=1) as gateway:
        found = [await gateway.get("/api/orders/") for _ in range(5)]
    assert [(answer.status_code, answer.text) for answer in found] == [(status, "sorry")] * 5
    assert ill.asked == 5


async def test_clients_that_leave_do_not_make_a_service_ill() -> None:
    arrived = asyncio.Semaphore(0)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"]:
            arrived.release()
            await receive()
            await receive()
            return
        await Service(b"a")(scope, receive, send)

    async with serving(slow, lifespan="off") as url, gateway_to(orders_url=url, breaker_failures=1) as gateway:
        for _ in range(3):
            left = asyncio.create_task(gateway.get("/api/orders/?wait=1"))
            await arrived.acquire()
            left.cancel()
        assert (await gateway.get("/api/orders/")).text == "a"


async def test_a_service_that_is_back_is_found_by_a_probe() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with gateway_to(orders_url=url, breaker_failures=1, breaker_pause="100ms") as gateway:
        assert (await gateway.get("/api/orders/")).status_code == 503
        async with serving(Service(b"a"), port, lifespan="off"):
            found: list[httpx.Response] = []
            async with asyncio.timeout(5):
                while not found or found[-1].status_code == 503:
                    found.append(await gateway.get("/api/orders/"))
            assert found[-1].text == "a"
            assert await answers(gateway) == {"a": 20}


async def test_while_half_open_one_request_alone_is_the_probe() -> None:
    release, asked = asyncio.Event(), 0

    async def first_ill_then_slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        if asked > 1:
            await release.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    limits = {"breaker_failures": 1, "breaker_pause": "100ms"}
    async with listening(first_ill_then_slow) as url, gateway_to(orders_url=url, **limits) as gateway:
        assert (await gateway.post("/api/orders/")).status_code == 502
        await asyncio.sleep(0.2)
        probe = asyncio.create_task(gateway.post("/api/orders/"))
        await eventually(lambda: asked == 2)
        assert [(await gateway.post("/api/orders/")).status_code for _ in range(3)] == [503] * 3
        release.set()
        assert (await probe).status_code == 200
        assert asked == 2
