"""The API's documents and pages come from the gateway alone, and from nowhere else."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.app import create_operations_app
from shared.messaging.asyncapi import asyncapi_document
from tests.integration.gateway.servers import gateway_to, serving


def service(path: str) -> FastAPI:
    app = FastAPI()

    @app.get(path)
    async def answer(q: int = 0) -> dict[str, int]:
        return {"q": q}

    @app.get("/asyncapi.json")
    async def events() -> Any:
        return asyncapi_document("orders", f"<b>What {path} is for.</b>")

    @app.get("/internal/secret/")
    async def secret() -> None: ...

    return app


@pytest.fixture
async def gateway() -> AsyncIterator[httpx.AsyncClient]:
    """A gateway with all services there but payments."""
    async with (
        serving(service("/api/users/")) as accounts,
        serving(service("/api/services/")) as catalog,
        serving(service("/api/orders/")) as orders,
        serving(service("/api/notifications/")) as notifications,
        gateway_to(
            accounts_url=accounts, catalog_url=catalog, orders_url=orders, notifications_url=notifications
        ) as client,
    ):
        yield client


async def test_one_document_joins_all_services_and_names_who_is_away(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/api/schema/")
    document = answer.json()

    assert {*document["paths"]} == {"/api/users/", "/api/services/", "/api/orders/", "/api/notifications/"}
    assert document["x-unavailable"] == ["payments"]
    assert answer.headers["cache-control"] == "no-store"
    assert (await gateway.get("/api/schema")).json() == document


async def test_each_service_has_its_own_document(gateway: httpx.AsyncClient) -> None:
    assert [*(await gateway.get("/api/schema/orders/")).json()["paths"]] == ["/api/orders/"]
    away = await gateway.get("/api/schema/payments/")
    assert (away.status_code, away.json()["type"]) == (503, "unavailable")
    assert (await gateway.get("/api/schema/nobody/")).status_code == 404


async def test_a_services_events_are_a_document_and_for_a_browser_a_page(gateway: httpx.AsyncClient) -> None:
    for asked in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = await gateway.get("/api/schema/orders/events/", headers=asked)
        assert answer.json()["asyncapi"] == "3.0.0"
        assert answer.headers["vary"] == "Accept"
    browser = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    page = await gateway.get("/api/schema/orders/events/", headers=browser)
    assert page.headers["content-type"].startswith("text/html")
    assert (await gateway.get("/api/schema/orders/events/?as=json", headers=browser)).json() == answer.json()
    assert {"order.created", "order.status_changed", "refund.requested"} <= {*re.findall(r"<code>([^<]+)<", page.text)}
    away = await gateway.get("/api/schema/payments/events/")
    assert (away.status_code, away.json()["type"]) == (503, "unavailable")


async def test_the_page_of_events_runs_nothing_and_shows_what_a_service_says_as_text(
    gateway: httpx.AsyncClient,
) -> None:
    page = await gateway.get("/api/schema/orders/events/", headers={"Accept": "text/html"})

    assert "script" not in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "&lt;b&gt;What /api/orders/ is for.&lt;/b&gt;" in page.text
    (style,) = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["content-security-policy"]
    assert {*re.findall(r'href="(https?:[^"]*)"', page.text)} == set()


async def test_documents_are_kept_for_a_while_and_shortly_when_one_was_away() -> None:
    asked = 0

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked += 1
        body = b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}}'
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with serving(counting, lifespan="off") as url:
        all_there: Any = dict.fromkeys([f"{s}_url" for s in ("catalog", "orders", "payments", "notifications")], url)
        async with gateway_to(accounts_url=url, **all_there) as gateway:
            for _ in range(3):
                answer = await gateway.get("/api/schema/")
            assert asked == 5
            assert re.fullmatch(r"public, max-age=(59|60)", answer.headers["cache-control"])
        asked = 0
        async with gateway_to(schema_retry_after="0s", **all_there) as gateway:
            for _ in range(2):
                assert (await gateway.get("/api/schema/")).json()["x-unavailable"] == ["accounts"]
            assert asked == 8


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>"])
async def test_a_service_that_answers_something_else_is_as_good_as_away(body: bytes) -> None:
    async def other(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with serving(other, lifespan="off") as url, gateway_to(orders_url=url) as gateway:
        assert "orders" in (await gateway.get("/api/schema/")).json()["x-unavailable"]


PAGES = [f"/api/schema/{of}{kind}/" for of in ("", "orders/") for kind in ("swagger-ui", "redoc")]


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_loads_only_what_the_gateway_serves(gateway: httpx.AsyncClient, page: str) -> None:
    answer = await gateway.get(page)

    addresses = re.findall(r"""(?:src|href|spec-url)="([^"]+)""", answer.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/api/schema/")
        loaded = await gateway.get(address)
        assert loaded.status_code == 200
        if "/static/" in address:
            assert "immutable" in loaded.headers["cache-control"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


async def test_no_script_names_an_address_that_it_would_load_from(gateway: httpx.AsyncClient) -> None:
    script = await gateway.get("/api/schema/static/redoc.standalone.js")
    assert "cdn.redoc.ly" not in script.text
    assert (await gateway.get("/api/schema/static/other.js")).status_code == 404
    assert (await gateway.get("/api/schema/static/..%2fcore.py")).status_code == 404


async def test_the_gateway_says_that_it_is_up_and_its_numbers_only_on_the_other_port(
    gateway: httpx.AsyncClient,
) -> None:
    assert (await gateway.get("/health/live")).json() == {"status": "live"}
    assert (await gateway.head("/health/ready")).status_code == 200
    await gateway.get("/api/users/")
    async with serving(create_operations_app()) as url, httpx.AsyncClient(base_url=url, trust_env=False) as operations:
        assert (await operations.get("/health/live")).status_code == 200
        assert (await operations.get("/health/ready")).json() == {"status": "ready"}
        numbers = (await operations.get("/metrics")).text
    assert re.search(r'method="GET",route="/api/users/",service="gateway",status="200"', numbers)
