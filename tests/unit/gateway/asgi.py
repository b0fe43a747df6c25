"""Calls of a plain ASGI app, without a server."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.config import GatewaySettings
from gateway.headers import Header
from gateway.routes import Route, find_route


@dataclass
class Answer:
    """What a client got."""

    status: int = 0
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    whole: bool = False

    def __getitem__(self, name: str) -> str:
        return ", ".join(value.decode() for key, value in self.headers if key == name.encode())

    def json(self) -> Any:
        return orjson.loads(self.body)


class Clock:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def scope_of(
    path: str = "/api/services/",
    *headers: tuple[str, str],
    method: str = "GET",
    client: str | None = "192.0.2.7",
    host: str | None = "localhost",
    **more: Any,
) -> Scope:
    raw, _, query = path.partition("?")
    said: list[tuple[str, str]] = [*([("host", host)] if host else []), *headers]
    return {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "scheme": "http",
        "client": (client, 5) if client else None,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in said],
        "extensions": {"websocket.http.response": {}},
        "route": find_route(raw) or Route(raw, "orders"),
        **more,
    }


async def call(app: ASGIApp, scope: Scope) -> Answer:
    """The app's answer to a request without a body from a client that stays."""
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"].endswith(".start"):
            answer.status, answer.headers = message["status"], tuple(message.get("headers", ()))
        elif message["type"] == "websocket.accept":
            answer.status = 101
        else:
            answer.body += message.get("body", b"")
            answer.whole = not message.get("more_body", False)

    await app(scope, receive, send)
    return answer


def answering(status: int = 200, headers: Iterable[Header] = (), body: bytes = b"ok") -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


def settings(**given: Any) -> GatewaySettings:
    return GatewaySettings(_env_file=None, **{"env": "development", **given})
