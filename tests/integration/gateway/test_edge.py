"""The gateway's edge as it is deployed: what it believes, refuses, adds and keeps, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from shared.observability.logging import configure_logging
from tests.integration.gateway.servers import SOON, gateway_to, raw_exchange, serving
from tests.support.logs import logging_restored
from tests.unit.factories import access_token, jwk

PUBLIC = {"Cache-Control": "public, s-maxage=60, must-revalidate", "ETag": '"1.a"', "Vary": "Accept-Language"}
KEY = Ed25519PrivateKey.generate()


class Service:
    """All services in one: says what it was told, and counts."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.sockets = 0
        routes = [
            Route("/api/services/", self.public),
            Route("/.well-known/jwks.json", self.keys),
            Route("/{path:path}", self.any, methods=["GET", "POST", "OPTIONS"]),
            WebSocketRoute("/ws/notifications/", self.socket),
        ]
        self.app = Starlette(routes=routes)

    async def public(self, request: Request) -> Response:
        self.asked.append(dict(request.headers))
        await asyncio.sleep(0.05)  # so that those who ask at once do
        return JSONResponse({"results": []}, headers=PUBLIC)

    async def keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [jwk(KEY, "k1")]})

    async def any(self, request: Request) -> Response:
        self.asked.append(dict(request.headers))
        return JSONResponse({})

    async def socket(self, ws: WebSocket) -> None:
        self.sockets += 1
        await ws.accept()
        await ws.receive()


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def url(service: Service) -> AsyncIterator[str]:
    async with serving(service.app) as url:
        yield url


def to(url: str, **settings: Any) -> Any:
    names = ("accounts", "catalog", "orders", "payments", "notifications")
    return gateway_to(**{f"{name}_url": url for name in names}, **settings)


def socket_of(gateway: httpx.AsyncClient, query: str = "", **options: Any) -> connect:
    address = f"ws://127.0.0.1:{gateway.base_url.port}/ws/notifications/{query}"
    return connect(address, proxy=None, compression=None, open_timeout=SOON, **options)


async def refusal_of(gateway: httpx.AsyncClient, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        await socket_of(gateway, **options)
    assert refused.value.response.headers["Content-Type"] == "application/problem+json"
    assert refused.value.response.headers["X-Content-Type-Options"] == "nosniff"
    return refused.value.response.status_code


FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "h", "X-User-Id": "1"}


async def test_what_a_stranger_says_of_itself_is_made_anew(service: Service, url: str) -> None:
    async with to(url) as gateway:
        answer = await gateway.get("/api/orders/", headers=FORGED)
    said = service.asked[0]
    assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert said["x-forwarded-host"] != "h"
    assert "x-user-id" not in said
    assert "strict-transport-security" not in answer.headers


async def test_what_a_proxy_of_ours_says_is_passed_on(service: Service, url: str) -> None:
    async with to(url, trusted_proxies="127.0.0.1") as gateway:
        answer = await gateway.get("/api/orders/", headers=FORGED)
    said = service.asked[0]
    assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == ("203.0.113.9", "https")
    assert said["x-forwarded-host"] == "h"
    assert said["forwarded"] == 'for=203.0.113.9;host="h";proto=https'
    assert "x-user-id" not in said
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("hosts", ["", "Host: evil.example\r\n", "Host: h\r\nHost: h\r\n", "Host: h\r\nHost: x\r\n"])
async def test_a_request_is_for_one_of_our_names(service: Service, url: str, hosts: str) -> None:
    async with to(url) as gateway:
        request = f"GET /api/orders/ HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"
        assert (await raw_exchange(gateway.base_url, request.encode())).startswith(b"HTTP/1.1 400")
    assert service.asked == []


async def test_a_websocket_is_for_one_of_our_names_too(service: Service, url: str) -> None:
    async with to(url, allowed_hosts="localhost") as gateway:
        assert await refusal_of(gateway) == 400
    assert service.sockets == 0


@pytest.mark.parametrize("path", ["/api/orders/", "/api/schema/", "/health/live", "/nothing", "/media/x.webp"])
async def test_every_answer_is_safe_for_a_browser(url: str, path: str) -> None:
    async with to(url) as gateway:
        answer = await gateway.get(path)
    for name in (
        "x-content-type-options",
        "referrer-policy",
        "content-security-policy",
        "cross-origin-resource-policy",
    ):
        assert len(answer.headers.get_list(name)) == 1, name
    assert "server" not in answer.headers


async def test_a_page_of_ours_keeps_its_own_policy(url: str) -> None:
    async with to(url) as gateway:
        answer = await gateway.get("/api/schema/swagger-ui/")
    (policy,) = answer.headers.get_list("content-security-policy")
    assert "script-src" in policy


async def test_a_preflight_reaches_no_service_and_an_answer_to_a_page_says_so(service: Service, url: str) -> None:
    page = {"Origin": "https://app.example"}
    async with to(url, cors_origins="https://app.example") as gateway:
        preflight = await gateway.options("/api/orders/", headers={**page, "Access-Control-Request-Method": "POST"})
        assert (preflight.status_code, service.asked) == (204, [])
        answer = await gateway.post("/api/orders/", headers=page)
        limited = await gateway.get("/nothing", headers=page)
    for each in (preflight, answer, limited):
        assert each.headers["access-control-allow-origin"] == "https://app.example"
        assert each.headers["vary"] == "Origin"


async def test_pages_of_others_open_no_websocket_and_ours_do(service: Service, url: str) -> None:
    async with to(url, public_url="https://market.example") as gateway:
        assert await refusal_of(gateway, origin="https://evil.example") == 403
        assert service.sockets == 0
        for origin in ("https://market.example", "https://shop.example"):
            async with socket_of(gateway, origin=origin):
                pass
    assert service.sockets == 2


async def test_an_address_opens_only_so_many_websockets(url: str) -> None:
    async with to(url, sockets_per_address=2, rate_limit_scale=1) as gateway:
        first, second = await socket_of(gateway), await socket_of(gateway)
        assert await refusal_of(gateway) == 429
        await first.close()

        async def opens() -> bool:
            try:
                await (await socket_of(gateway)).close()
            except InvalidStatus:
                return False
            return True

        async with asyncio.timeout(SOON):
            while not await opens():
                await asyncio.sleep(0.01)
        await second.close()


async def test_too_much_is_429_and_reaches_no_service(service: Service, url: str) -> None:
    async with to(url, rate_limit_scale=0.05) as gateway:
        answers = [await gateway.post("/api/auth/register/") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[0].headers["ratelimit"].startswith('"write";r=2;t=')
    assert answers[0].headers["ratelimit-policy"] == '"write";q=3;w=60'
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[3].json()["type"] == "too-many-requests"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert len(service.asked) == 3


async def test_a_user_is_counted_by_a_token_that_accounts_signed_and_by_no_other(url: str) -> None:
    mine = {"Authorization": f"Bearer {access_token(KEY)}"}
    forged = {"Authorization": f"Bearer {access_token(Ed25519PrivateKey.generate())}"}
    async with to(url) as gateway:

        async def policy(headers: dict[str, str]) -> str:
            policies: str = (await gateway.get("/api/orders/", headers=headers)).headers["ratelimit-policy"]
            return policies.split(";")[0]

        async with asyncio.timeout(SOON):
            while await policy(mine) != '"user"':
                await asyncio.sleep(0.01)
        assert await policy(forged) == '"read"'


async def test_public_reads_are_asked_for_once_and_counted_each(service: Service, url: str) -> None:
    async with to(url) as gateway:
        answers = await asyncio.gather(*(gateway.get("/api/services/") for _ in range(30)))
        assert {answer.content for answer in answers} == {b'{"results":[]}'}
        assert len({answer.headers["x-request-id"] for answer in answers}) == 30
        assert all("ratelimit" in answer.headers for answer in answers)
        assert len(service.asked) == 1
        again = await gateway.get("/api/services/", headers={"If-None-Match": '"1.a"'})
        head = await gateway.head("/api/services/")
        assert (again.status_code, again.content, "age" in again.headers) == (304, b"", True)
        assert (head.status_code, head.headers["content-length"]) == (200, "14")
        assert len(service.asked) == 1
        await gateway.get("/api/services/", headers={"Authorization": "Bearer x"})
        assert service.asked[1]["authorization"] == "Bearer x"


async def test_without_a_size_nothing_is_kept(service: Service, url: str) -> None:
    async with to(url, cache_size=0) as gateway:
        for _ in range(2):
            assert "age" not in (await gateway.get("/api/services/")).headers
    assert len(service.asked) == 2


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.mark.usefixtures("logging_as_it_was")
async def test_no_log_holds_a_token_or_a_ticket(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG", "json")
    structlog.configure(cache_logger_on_first_use=False)  # other tests capture the same loggers
    token = access_token(KEY)
    async with to(url) as gateway:
        await gateway.get(f"/api/orders/?token={token}&ticket=hush-hush", headers={"Authorization": "Bearer hush-hush"})
        async with socket_of(gateway, f"?token={token}&ticket=hush-hush") as ws:
            await ws.send(json.dumps({"type": "auth", "token": token}))
    out, err = capsys.readouterr()
    assert '"path":"/api/orders/"' in out
    assert "hush-hush" not in out + err
    assert token[:20] not in out + err
