"""The five services as they are composed, without a database, a broker or a running loop."""

import asyncio
from functools import cache
from typing import Any

import httpx

from marketplace.registry import SERVICES, service_app, service_settings
from shared.messaging.local import LocalBus, LocalHub

PROBLEM = "application/problem+json"


@cache
def app_of(service: str) -> Any:
    values = {"env": "development", "database_url": "postgresql://nobody@localhost:1/none", "_env_file": None}
    return service_app(service, service_settings(service, **values), LocalBus(LocalHub(), service))


def operations() -> list[tuple[str, str, str, dict[str, Any]]]:
    """(service, METHOD, path, operation) of all documents."""
    return [
        (service, method.upper(), path, operation)
        for service in SERVICES
        for path, item in app_of(service).openapi()["paths"].items()
        for method, operation in item.items()
    ]


def answer_of(service: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of an operation, or the shared one that it refers to."""
    shared: dict[str, Any] = app_of(service).openapi()["components"]["responses"]
    return shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer


@cache
def asyncapi_of(service: str) -> Any:
    """The service's document of its events and WebSockets, as it serves it."""

    async def ask() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app_of(service)), base_url="http://service") as http:
            return (await http.get("/asyncapi.json")).raise_for_status().json()

    return asyncio.run(ask())
