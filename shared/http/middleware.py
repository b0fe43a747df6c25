"""What happens around every request of every process: its id, its line of log, its metric, its span in a trace, and its
last resort."""

import time
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import problem_response
from shared.observability import tracing
from shared.observability.context import in_trace, parse_traceparent, set_request_id
from shared.observability.metrics import ERRORS, REQUESTS

if TYPE_CHECKING:
    from opentelemetry.trace import Span

QUIET_PATHS = ("/health/", "/metrics")
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""That have figures of their own; a client can write some thirty more."""

log = structlog.get_logger("request")


class RequestMiddleware:
    """Plain ASGI: gives the request its id and its place in a trace, and ends it with one line of log, one observation,
    and always an answer."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app, self._service = app, service
        self._errors = ERRORS.labels(service)  # there from the start, so that its first rise is seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            with self._traced(scope) as span:
                await self._serve(scope, receive, send, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: "Span | None") -> None:
        request_id = set_request_id(_header(scope, b"x-request-id"))
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = [h for h in message.get("headers", ()) if h[0].lower() != b"x-request-id"]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("unexpected_error", service=self._service, path=scope["path"])
            self._errors.inc()
            if scope["type"] != "http" or status:
                raise  # too late for an answer: the server closes the connection
            answer = problem_response(
                500,
                slug="internal-error",
                title="Internal error",
                detail="Something went wrong on our side. Please quote the request id when you ask about it.",
                path=scope["path"],
            )
            await answer(scope, receive, send_with_id)
        finally:
            if _is_noted(scope):
                self._note(scope, status, time.perf_counter() - began, request_id, span)

    def _traced(self, scope: Scope) -> "AbstractContextManager[Span | None]":
        traceparent = parse_traceparent(_header(scope, b"traceparent"))
        if not _is_noted(scope):
            return in_trace(traceparent)
        return tracing.span(self._service, "SERVER", scope["method"], traceparent)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str, span: "Span | None") -> None:
        method = scope["method"] if scope["method"] in METHODS else "(other)"
        route = getattr(scope.get("route"), "path", "(none)")
        _observed(self._service, method, route, status).observe(seconds)
        if span:
            tracing.describe(span, method, route, scope["path"], status, request_id)
        # The path alone: a query can hold a token.
        log.info(
            "request",
            service=self._service,
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
        )


def _is_noted(scope: Scope) -> bool:
    return scope["type"] == "http" and not scope["path"].startswith(QUIET_PATHS)


_observed = lru_cache(maxsize=2048)(REQUESTS.labels)


class TrailingSlashMiddleware:
    """Paths of the API end with a slash; the same path without it works too, without a redirect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            path = scope["path"]
            if path.startswith(("/api/", "/internal/", "/ws/")) and not path.endswith("/"):
                scope = {**scope, "path": path + "/"}
        await self._app(scope, receive, send)


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)
