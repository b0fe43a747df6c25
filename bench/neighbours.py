"""How late a healthy service's answers come through the gateway while another service, or a client, behaves badly.

    python -m bench.neighbours [--rate 100] [--seconds 8] [--rounds 3]

The gateway and the healthy services are processes of their own. Calm and trouble are measured by turns: a machine that
is busy for a while is so for both.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from statistics import median, quantiles

import httpx
import psutil
import uvicorn
from httpx_aiohttp import AiohttpTransport
from starlette.types import Receive, Scope, Send

from tests.support.process import free_port

GOAL = 2.0
"""Times the p99 of calm."""
ROUTE, ILL_ROUTE, BUSY_ROUTE = "/api/services/", "/api/orders/", "/api/users/"
"""Of the healthy service that is measured, of one that is ill, and of a healthy one that bad clients call."""
ILL_RATE = 20
"""Requests a second to the service that is ill."""
IDLE = 1000

Trouble = Callable[["Bench"], Awaitable[None]]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Bench:
    """What a trouble is made with."""

    def __init__(self, port: int, ill_port: int, http: httpx.AsyncClient) -> None:
        self.port, self._ill_port, self.http = port, ill_port, http

    async def serve_ill(self, handler: Handler) -> None:
        """Be the service that is ill, and ask it all the time."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
            writer.close()

        async with await asyncio.start_server(handle, "127.0.0.1", self._ill_port):
            await self.ask_ill()

    async def ask_ill(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._ask_once())
                await asyncio.sleep(1 / ILL_RATE)

    async def _ask_once(self) -> None:
        with suppress(httpx.HTTPError):
            await self.http.get(ILL_ROUTE)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


# --- troubles: each goes on until it is cancelled ---------------------------------------------------------------------


async def upstream_hangs(bench: Bench) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    await bench.serve_ill(hang)


async def upstream_resets(bench: Bench) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    await bench.serve_ill(reset)


async def upstream_answers_half(bench: Bench) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
        await reader.read()

    await bench.serve_ill(half)


async def upstream_answers_500(bench: Bench) -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")

    await bench.serve_ill(fail)


async def upstream_is_gone(bench: Bench) -> None:
    await bench.ask_ill()


async def clients_send_a_byte_a_second(bench: Bench) -> None:
    async def drip() -> None:
        while True:
            _, writer = await bench.connect()
            writer.write(b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" % BUSY_ROUTE.encode())
            with suppress(OSError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(1)

    await asyncio.gather(*(drip() for _ in range(100)))


async def client_sends_5_gib(bench: Bench) -> None:
    """From a process of its own, which does not keep this one from asking."""
    sender = multiprocessing.get_context("spawn").Process(target=_send_5_gib, args=(bench.port,), daemon=True)
    sender.start()
    try:
        while sender.is_alive():
            await asyncio.sleep(0.1)
    finally:
        sender.terminate()


def _send_5_gib(port: int) -> None:
    """Again and again, since it is cut off each time."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % BUSY_ROUTE.encode()
            )
            for _ in range(5 * 2**30 // 65536):
                connection.sendall(chunk)
        time.sleep(0.5)


async def idle_connections(bench: Bench) -> None:
    held = [await bench.connect() for _ in range(IDLE)]
    await asyncio.Event().wait()
    held.clear()


TROUBLES: Mapping[str, Trouble] = {
    "an upstream hangs": upstream_hangs,
    "an upstream resets": upstream_resets,
    "an upstream answers half a body": upstream_answers_half,
    "an upstream answers 500": upstream_answers_500,
    "an upstream is gone": upstream_is_gone,
    "100 clients send one byte a second": clients_send_a_byte_a_second,
    "a client sends 5 GiB": client_sends_5_gib,
    f"{IDLE} idle connections": idle_connections,
}


# --- the system, and the load -----------------------------------------------------------------------------------------


async def _healthy(scope: Scope, receive: Receive, send: Send) -> None:
    while scope["type"] == "http" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2000")]})
    await send({"type": "http.response.body", "body": b"x" * 2000})


def _serve_healthy(port: int) -> None:
    uvicorn.run(_healthy, host="127.0.0.1", port=port, log_level="error", lifespan="off", timeout_keep_alive=75)


@contextmanager
def system() -> Iterator[tuple[int, int, int]]:
    """A gateway and two healthy services; gives the gateway's port, that for the ill service, and the gateway's pid."""
    port, healthy, busy, ill = free_port(), free_port(), free_port(), free_port()
    spawn = multiprocessing.get_context("spawn").Process
    upstreams = [spawn(target=_serve_healthy, args=(at,), daemon=True) for at in (healthy, busy)]
    for upstream in upstreams:
        upstream.start()
    settings = {
        "CATALOG_URL": f"http://127.0.0.1:{healthy}",
        "ACCOUNTS_URL": f"http://127.0.0.1:{busy}",
        "ORDERS_URL": f"http://127.0.0.1:{ill}",
        "OPERATIONS_PORT": str(free_port()),
        "RATE_LIMIT_SCALE": "1000000",
        "LOG_LEVEL": "ERROR",
        "CACHE_SIZE": "0",
    }
    command = [sys.executable, "-m", "marketplace", "serve", "gateway", "--host", "127.0.0.1", "--port", str(port)]
    gateway = subprocess.Popen(command, env=os.environ | settings)
    try:
        yield port, ill, gateway.pid
    finally:
        gateway.terminate()
        gateway.wait()
        for upstream in upstreams:
            upstream.terminate()


async def until_served(http: httpx.AsyncClient) -> None:
    for _ in range(200):
        with suppress(httpx.HTTPError):
            if (await http.get(ROUTE)).is_success:
                return
        await asyncio.sleep(0.1)
    sys.exit("bench: the gateway does not answer")


async def p99_of(http: httpx.AsyncClient, rate: int, seconds: float) -> float:
    """Milliseconds, of requests at that rate however slowly they are answered."""
    took: list[float] = []

    async def ask() -> None:
        began = time.perf_counter()
        answer = await http.get(ROUTE)
        if answer.status_code != httpx.codes.OK:
            sys.exit(f"bench: {ROUTE} was answered {answer.status_code}: {answer.text[:300]}")
        took.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            group.create_task(ask())
    return quantiles(took, n=100)[98]


@asynccontextmanager
async def going_on(trouble: Trouble, bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(trouble(bench))
    await asyncio.sleep(0.5)  # until it has begun
    try:
        yield
        if task.done():
            task.result()
            sys.exit("bench: a trouble ended by itself")
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def measure(args: argparse.Namespace, port: int, ill: int, pid: int) -> bool:
    address = f"http://127.0.0.1:{port}"
    process, missed = psutil.Process(pid), False
    print(f"p99 of {args.rate} requests/s to a healthy service, medians of {args.rounds} rounds of {args.seconds} s\n")
    print("| trouble | calm, ms | meanwhile, ms | times (goal: at most 2) | memory, MiB | |\n|---|--:|--:|--:|--:|---|")
    async with (
        httpx.AsyncClient(base_url=address, timeout=60, transport=AiohttpTransport()) as http,
        httpx.AsyncClient(base_url=address, timeout=60, transport=AiohttpTransport()) as other,
    ):
        await until_served(http)
        await p99_of(http, args.rate, 2)  # warm
        for name, trouble in TROUBLES.items():
            calm, troubled = [], []
            for _ in range(args.rounds):
                calm.append(await p99_of(http, args.rate, args.seconds))
                async with going_on(trouble, Bench(port, ill, other)):
                    troubled.append(await p99_of(http, args.rate, args.seconds))
                    memory = process.memory_info().rss / 2**20
            times = median(troubled) / median(calm)
            over = times > GOAL
            missed |= over
            cells = f"{median(calm):.1f} | {median(troubled):.1f} | {times:.2f} | {memory:.0f}"
            print(f"| {name} | {cells} | {'**missed**' if over else ''} |", flush=True)
    return not missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"rate": 100, "seconds": 8, "rounds": 3}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the processes inherit it
    with system() as (port, ill, pid):
        met = asyncio.run(measure(args, port, ill, pid))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
