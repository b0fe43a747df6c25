"""Who is counted by what, and what they are told."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.types import ASGIApp

from gateway.limits import Limits
from tests.unit.gateway.asgi import Answer, Clock, answering, call, scope_of, settings

ANN, BOB = ("authorization", "Bearer ann"), ("authorization", "Bearer bob")
FORGED = ("authorization", "Bearer forged")


def identify(authorization: bytes) -> str | None:
    name = authorization.decode().removeprefix("Bearer ")
    return name if name in ("ann", "bob") else None


def limits(clock: Clock | None = None, **given: Any) -> ASGIApp:
    return Limits(answering(), identify, settings(**given), clock=clock or Clock())


async def spend(app: ASGIApp, path: str, *headers: tuple[str, str], **more: Any) -> int:
    """How many requests are answered until one is not."""
    taken = 0
    while (await call(app, scope_of(path, *headers, **more))).status == 200:
        taken += 1
    return taken


async def test_the_limits_are_those_of_the_design() -> None:
    app = limits()
    assert await spend(app, "/api/services/") == 600
    assert await spend(app, "/api/auth/login/", method="POST") == 10
    assert await spend(app, "/api/auth/register/", method="POST") == 50  # logins were writes too
    assert await spend(app, "/api/payments/order/7/pay/", ANN, method="POST") == 20
    assert await spend(app, "/api/orders/", ANN) == 280
    assert await spend(app, "/api/orders/", BOB, method="POST") == 300
    assert await spend(app, "/api/payments/providers/payme/", method="POST") == 1000


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/login/"])
async def test_a_login_is_counted_with_and_without_its_last_slash(path: str) -> None:
    assert await spend(limits(), path, method="POST") == 10


async def test_a_token_that_is_not_verified_neither_spends_anothers_nor_makes_new_buckets() -> None:
    app = limits()
    assert await spend(app, "/api/services/", FORGED) == 600
    assert await spend(app, "/api/services/") == 0
    assert await spend(app, "/api/services/", ANN) == 300


async def test_addresses_are_counted_each_and_those_of_version_6_by_their_network() -> None:
    app = limits()
    await spend(app, "/api/services/", client="2001:db8:1:2::1")
    assert await spend(app, "/api/services/", client="2001:db8:1:2:ffff::9") == 0
    assert await spend(app, "/api/services/", client="2001:db8:1:3::1") == 600
    await spend(app, "/api/services/", client="192.0.2.1")
    assert await spend(app, "/api/services/", client="::ffff:192.0.2.1") == 0
    assert await spend(app, "/api/services/", client=None) == 600


async def test_an_answer_says_what_is_left() -> None:
    answer = await call(limits(), scope_of("/api/orders/", ANN))
    assert (answer["ratelimit-policy"], answer["ratelimit"]) == ('"user";q=300;w=60', '"user";r=299;t=1')

    both = await call(limits(), scope_of("/api/auth/login/", method="POST"))
    assert both["ratelimit-policy"] == '"login";q=10;w=60, "write";q=60;w=60'
    assert both["ratelimit"] == '"login";r=9;t=6, "write";r=59;t=1'


async def test_a_refusal_is_a_problem_that_says_when_to_come_again() -> None:
    clock = Clock()
    app = limits(clock)
    await spend(app, "/api/auth/login/", method="POST")

    async def login() -> Answer:
        return await call(app, scope_of("/api/auth/login/", method="POST"))

    refused = await login()
    assert refused.status == 429
    assert refused["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "too-many-requests"
    assert refused["retry-after"] == "6"
    assert '"login";r=0' in refused["ratelimit"]
    clock.now += 6
    assert (await login()).status == 200
    assert (await login()).status == 429


async def test_what_one_limit_refuses_is_not_counted_by_the_other() -> None:
    app = limits()
    await spend(app, "/api/auth/login/", method="POST")
    for _ in range(100):
        await call(app, scope_of("/api/auth/login/", method="POST"))
    assert await spend(app, "/api/auth/register/", method="POST") == 50


async def test_a_providers_listed_addresses_meet_no_limit_and_spend_nobodys() -> None:
    app = limits(payme_allowed_ips="185.234.113.0/28", click_allowed_ips="192.0.2.200", rate_limit_scale=0.001)
    for path, client in (("payme/", "185.234.113.9"), ("click/prepare/", "192.0.2.200")):
        for _ in range(5):
            answer = await call(app, scope_of(f"/api/payments/providers/{path}", method="POST", client=client))
            assert (answer.status, answer["ratelimit"]) == (200, "")
    assert await spend(app, "/api/payments/providers/payme/", method="POST", client="192.0.2.1") == 1
    assert await spend(app, "/api/payments/order/7/pay/", method="POST", client="192.0.2.200") == 1


async def test_probes_are_not_counted() -> None:
    app = limits(rate_limit_scale=0.001)
    for _ in range(5):
        assert (await call(app, scope_of("/health/live"))).status == 200


@pytest.mark.parametrize(("scale", "instances", "granted"), [(2, 1, 20), (1, 2, 5), (1, 3, 4), (0.01, 4, 1)])
async def test_limits_are_scaled_and_shared_out_among_the_gateways(scale: float, instances: int, granted: int) -> None:
    app = limits(rate_limit_scale=scale, gateway_instances=instances)
    assert await spend(app, "/api/auth/login/", method="POST") == granted


async def test_what_is_refused_is_counted_under_each_policy_that_refused_it() -> None:
    def refused() -> list[float]:
        policies = ("login", "write", "user")
        return [REGISTRY.get_sample_value("marketplace_limited_total", {"policy": policy}) or 0 for policy in policies]

    app, before = limits(), refused()
    await spend(app, "/api/auth/login/", method="POST")  # ends with the first that is refused

    assert [now - then for now, then in zip(refused(), before, strict=True)] == [1, 0, 0]
