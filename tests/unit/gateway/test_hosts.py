"""A request is for one of our names."""

from typing import Any

import pytest

from gateway.config import GatewaySettings
from gateway.hosts import AllowedHosts
from tests.unit.gateway.asgi import answering, call, scope_of

APP = AllowedHosts(answering(), ("localhost", "[::1]", "Shop.example"), "https://api.shop.example:8443/x")


async def asked(*hosts: str, **more: Any) -> int:
    scope = scope_of("/api/services/", *(("host", host) for host in hosts), host=None, **more)
    return (await call(APP, scope)).status


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST", "shop.EXAMPLE:1", "[::1]", "[::1]:80", "api.shop.example"]
)
async def test_our_names_are_served_with_any_port_in_any_case(host: str) -> None:
    assert await asked(host) == 200
    assert await asked(host, type="websocket") == 101


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("localhost", "localhost"),
        ("evil.example",),
        ("localhost.evil.example",),
        ("xlocalhost",),
        ("localhost:80@evil.example",),
        ("evil.example#localhost",),
        ("localhost, evil.example",),
        ("localhost:80:80",),
        ("::1",),
        ("*",),
    ],
)
async def test_anything_else_is_400(hosts: tuple[str, ...]) -> None:
    assert await asked(*hosts) == 400
    assert await asked(*hosts, type="websocket") == 400


async def test_a_refusal_is_a_problem_document() -> None:
    answer = await call(APP, scope_of(host="evil.example"))
    assert answer["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "bad-request"


async def test_probes_come_by_whatever_address_there_is() -> None:
    assert (await call(APP, scope_of("/health/live", host="10.1.2.3:8000"))).status == 200
    assert (await call(APP, scope_of("/health/lively", host="10.1.2.3:8000"))).status == 400


def test_local_names_are_the_default() -> None:
    assert GatewaySettings(_env_file=None, env="development").allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
