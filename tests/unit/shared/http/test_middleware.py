"""What every request gets: an id, a line of log, an observation, and its path with and without the last slash."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from shared.http.middleware import RequestMiddleware, TrailingSlashMiddleware

NOBODY: Any = None
"""Who neither sends nor hears anything."""


def observed(method: str, route: str, status: str) -> float:
    labels = {"service": "orders", "method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("marketplace_request_seconds_count", labels) or 0


async def test_a_request_keeps_the_id_it_came_with(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/things/", headers={"X-Request-ID": "req-1"})
    assert answer.headers.get_list("x-request-id") == ["req-1"]


@pytest.mark.parametrize("headers", [{}, {"X-Request-ID": "a b"}, {"X-Request-ID": "x" * 129}, {"X-Request-ID": ""}])
async def test_a_request_without_a_harmless_id_gets_one(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await http.get("/api/things/", headers=headers)
    assert UUID(answer.headers["x-request-id"]).version == 7


async def test_each_request_has_an_id_of_its_own(http: httpx.AsyncClient) -> None:
    assert len({(await http.get("/api/things/")).headers["x-request-id"] for _ in range(5)}) == 5


async def test_an_id_that_the_app_says_itself_gives_way() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": [(b"X-Request-ID", b"other")]})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(RequestMiddleware(app, "orders"))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        answer = await http.get("/", headers={"X-Request-ID": "req-1"})

    assert answer.headers.get_list("x-request-id") == ["req-1"]


@pytest.mark.parametrize(
    ("path", "status"), [("/api/things/", 200), ("/api/things/error/conflict/", 409), ("/api/things/nowhere/", 404)]
)
async def test_a_request_is_one_line_of_log_without_its_query(http: httpx.AsyncClient, path: str, status: int) -> None:
    with capture_logs() as logs:
        await http.get(f"{path}?token=hush")

    assert [(line["event"], line["method"], line["path"], line["status"]) for line in logs] == [
        ("request", "GET", path, status)
    ]
    assert "hush" not in str(logs)


async def test_a_request_is_observed_under_its_route_and_not_under_its_path(http: httpx.AsyncClient) -> None:
    route = "/api/things/error/{kind}/"
    before = observed("GET", route, "409"), observed("GET", "(none)", "404")
    await http.get("/api/things/error/conflict/")
    await http.get("/api/unknown/1/")

    assert observed("GET", route, "409") == before[0] + 1
    assert observed("GET", "(none)", "404") == before[1] + 1


async def test_made_up_paths_and_methods_make_no_figures_of_their_own(http: httpx.AsyncClient) -> None:
    def figures() -> set[str]:
        return {str(sample.labels) for metric in REGISTRY.collect() for sample in metric.samples}

    await http.get("/api/unknown/1/")
    await http.request("PROPFIND", "/api/things/")
    before = figures()
    for path in ("/api/unknown/2/", "/api/things/error/conflict/9/", "/%00"):
        await http.get(path)
    await http.request("MKCOL", "/api/things/")

    assert figures() == before


async def test_an_error_of_ours_is_counted_and_a_refusal_is_not(http: httpx.AsyncClient) -> None:
    def errors() -> float:
        return REGISTRY.get_sample_value("marketplace_unexpected_errors_total", {"service": "orders"}) or 0

    before = errors()
    await http.get("/api/things/error/unexpected/")
    await http.get("/api/things/error/unavailable/")

    assert errors() == before + 1


async def test_health_is_asked_without_a_line_of_log(http: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        assert (await http.get("/health/live")).json() == {"status": "live"}
        assert (await http.get("/metrics")).status_code == 200
    assert logs == []


async def test_an_answer_that_breaks_off_is_an_error_to_the_server_and_no_second_answer(
    http: httpx.AsyncClient,
) -> None:
    with capture_logs() as logs, pytest.raises(RuntimeError, match="torn"):
        await http.get("/api/things/torn/")
    assert [(line["event"], line.get("status")) for line in logs] == [("unexpected_error", None), ("request", 200)]


@pytest.mark.parametrize("path", ["/api/things", "/api/things/"])
async def test_a_path_works_with_and_without_its_last_slash_and_without_a_redirect(
    http: httpx.AsyncClient, path: str
) -> None:
    assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/api/orders", "/api/orders/"),
        ("/api/orders/", "/api/orders/"),
        ("/internal/orders/1", "/internal/orders/1/"),
        ("/ws/notifications", "/ws/notifications/"),
        ("/health/live", "/health/live"),
        ("/metrics", "/metrics"),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/apis", "/apis"),
        ("/", "/"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_only_paths_of_the_api_get_a_slash(kind: str, path: str, seen: str) -> None:
    paths: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])

    scope = {"type": kind, "path": path}
    await TrailingSlashMiddleware(app)(scope, NOBODY, NOBODY)

    assert paths == [seen]
    assert scope["path"] == path


async def test_the_lifespan_passes_both_untouched() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    scope = {"type": "lifespan"}
    await RequestMiddleware(TrailingSlashMiddleware(app), "orders")(scope, NOBODY, NOBODY)

    assert scopes == [scope]
