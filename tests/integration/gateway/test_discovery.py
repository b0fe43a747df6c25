"""One name for several instances: all of them are asked, and those that come and go are noticed."""

import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.gateway.servers import gateway_to, serving
from tests.integration.gateway.test_upstreams import Service, answers
from tests.support.process import free_port
from tests.support.waiting import eventually

OFTEN, NEVER = {"upstream_refresh": "50ms"}, {"upstream_refresh": "10m"}


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of the name `orders.test`, for the test to change; without any it is not known."""
    found: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != "orders.test":
            return real(host, port, *args, **options)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [entry for address in found for entry in real(address, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


async def test_every_address_of_a_name_is_an_instance(addresses: list[str]) -> None:
    port = free_port()
    addresses += ["127.0.0.2", "127.0.0.3", "::1"]  # of two families the first alone, or one instance could count twice
    async with (
        serving(Service(b"a"), port, "127.0.0.2", lifespan="off"),
        serving(Service(b"b"), port, "127.0.0.3", lifespan="off"),
        serving(Service(b"six"), port, "::1", lifespan="off"),
        gateway_to(orders_url=f"http://orders.test:{port}", **NEVER) as gateway,
    ):
        await eventually(lambda: _both(gateway))
        assert await answers(gateway) == {"a": 10, "b": 10}


async def test_a_new_instance_is_found_and_one_that_left_is_forgotten(addresses: list[str]) -> None:
    port = free_port()
    addresses.append("127.0.0.2")
    async with (
        serving(Service(b"a"), port, "127.0.0.2", lifespan="off"),
        serving(Service(b"b"), port, "127.0.0.3", lifespan="off"),
        gateway_to(orders_url=f"http://orders.test:{port}", **OFTEN) as gateway,
    ):
        assert await answers(gateway) == {"a": 20}
        addresses.append("127.0.0.3")
        await eventually(lambda: _both(gateway))
        addresses.remove("127.0.0.2")
        await eventually(lambda: _only(gateway, "b"))


async def test_a_failure_makes_it_look_at_once_and_no_client_sees_it(addresses: list[str]) -> None:
    port = free_port()
    addresses += ["127.0.0.2", "127.0.0.3"]
    async with gateway_to(orders_url=f"http://orders.test:{port}", **NEVER) as gateway:
        async with (
            serving(Service(b"a"), port, "127.0.0.2", lifespan="off"),
            serving(Service(b"b"), port, "127.0.0.3", lifespan="off"),
        ):
            await eventually(lambda: _both(gateway))
        addresses[:] = ["127.0.0.4"]
        async with serving(Service(b"c"), port, "127.0.0.4", lifespan="off"):
            await eventually(lambda: _only(gateway, "c"))


async def test_while_a_name_has_no_address_those_it_had_are_asked(addresses: list[str]) -> None:
    port = free_port()
    addresses.append("127.0.0.2")
    async with (
        serving(Service(b"a"), port, "127.0.0.2", lifespan="off"),
        gateway_to(orders_url=f"http://orders.test:{port}", **OFTEN) as gateway,
    ):
        assert await answers(gateway) == {"a": 20}
        with capture_logs() as logs:
            addresses.clear()
            await eventually(lambda: _logged(logs, "upstream_not_found"))
            assert await answers(gateway) == {"a": 20}


async def _logged(logs: list[Any], event: str) -> bool:
    return any(entry["event"] == event for entry in logs)


async def _both(gateway: Any) -> bool:
    return len(await answers(gateway, times=4)) == 2


async def _only(gateway: Any, name: str) -> bool:
    return set(await answers(gateway, times=4)) == {name}
