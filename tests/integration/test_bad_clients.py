"""Raw sockets at the doors of the real processes: what no honest client sends is refused, and nobody falls over it."""

import asyncio
import json

import pytest

from marketplace.system import System
from tests.integration.gateway.servers import raw_exchange
from tests.support.people import Person

PROCESSES = ("gateway", "accounts", "catalog", "orders", "payments", "notifications")
CHANGES = {
    "accounts": "POST /api/auth/login/",
    "catalog": "POST /api/services/",
    "orders": "POST /api/orders/create/",
    "payments": "POST /api/payments/payouts/",
    "notifications": "PUT /api/notifications/preferences/",
}
DEEP = 100_000


def address(system: System, process: str) -> str:
    return system.address if process == "gateway" else system.urls[process]


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: evil\r\n"])
async def test_no_host_or_two_are_400(system: System, process: str, hosts: str) -> None:
    raw = await raw_exchange(address(system, process), f"GET /health/live HTTP/1.1\r\n{hosts}\r\n".encode())
    assert raw.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("process", PROCESSES)
async def test_headers_without_end_are_431(system: System, process: str) -> None:
    head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000
    assert (await raw_exchange(address(system, process), head)).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("service", CHANGES)
async def test_json_that_is_nested_deeply_is_refused(
    system: System, worker: Person, admin: Person, service: str
) -> None:
    method, path = CHANGES[service].split()
    by = admin if service == "payments" else worker
    for nested in (b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP):
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Authorization: {by.headers['Authorization']}\r\nContent-Length: {len(nested)}\r\n\r\n"
        )
        for process in ("gateway", service):
            raw = await raw_exchange(address(system, process), head.encode() + nested)

            assert raw.startswith((b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 422")), raw
            assert json.loads(raw.partition(b"\r\n\r\n")[2])["type"]


@pytest.mark.parametrize("process", PROCESSES)
async def test_of_a_body_without_end_little_is_taken(system: System, client: Person, process: str) -> None:
    """A client's: who may not is told so only after the body, as it is read first."""
    method, path = CHANGES["orders" if process == "gateway" else process].split()
    reader, writer = await asyncio.open_connection(*address(system, process).removeprefix("http://").split(":"))
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: {client.headers['Authorization']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())
    answer, sent = asyncio.create_task(reader.readuntil(b"\r\n\r\n")), 0
    while sent < 100 * 2**20 and not answer.done():
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()
        sent += 0x10000
    writer.close()

    assert sent < 100 * 2**20
    assert (await answer).startswith((b"HTTP/1.1 413", b"HTTP/1.1 403"))
