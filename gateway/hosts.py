"""Requests are for one of our names, or for nobody (RFC 9112, 3.2)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.sockets import refuse_with_problem
from shared.errors import MarketplaceError
from shared.http.problems import problem_of

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/?#@\[\]]+)(?::\d*)?")
_PROBES = ("/health/live", "/health/ready")
"""An orchestrator asks by whatever address the process has."""


class BadHost(MarketplaceError):
    status = 400
    slug, title = "bad-request", "Bad request"


class AllowedHosts:
    """Plain ASGI: refuses what names none of our hosts, or not exactly one. Ports and case do not matter."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], public_url: str) -> None:
        self._app = app
        names = frozenset(name.lower() for name in (*hosts, urlsplit(public_url).netloc.rpartition("@")[2]))
        self._names = frozenset(name for text in names if (name := host_name(text)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            error = BadHost("A request names one Host.")
        elif host_name(hosts[0].decode("latin-1")) in self._names or scope["path"] in _PROBES:
            return await self._app(scope, receive, send)
        else:
            error = BadHost("This host is not served here: ALLOWED_HOSTS does not name it.")
        if scope["type"] == "websocket":
            return await refuse_with_problem(error, scope, receive, send)
        return await problem_of(error, scope["path"])(scope, receive, send)


@lru_cache(maxsize=256)
def host_name(text: str) -> str | None:
    """`Shop.example:8000` → `shop.example`; None for what is no host."""
    match = _HOST.fullmatch(text.lower())
    return match[1] if match else None
