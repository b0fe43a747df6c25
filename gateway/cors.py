"""Pages of other origins that may read our answers (the Fetch standard's CORS protocol), an exact list.

Starlette's middleware refuses in plain text, where every error here is a problem document, and rebuilds the headers of
each answer, also of those to no page. This one does nothing where no origin is allowed, but answers preflights.
"""

from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.headers import Header, header
from gateway.proxy import METHODS
from shared.errors import Forbidden
from shared.http.problems import problem_of
from shared.origins import Origin, origin_of, origins_of

_READABLE = "ETag, Idempotent-Replayed, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-ID"
_SENDABLE = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
_VARY: Header = (b"vary", b"Origin")
_PREFLIGHT: list[Header] = [
    (b"access-control-allow-methods", ", ".join(METHODS).encode()),
    (b"access-control-allow-headers", _SENDABLE.encode()),
    (b"access-control-max-age", b"7200"),  # the most that browsers take
]


class Cors:
    """Plain ASGI: answers preflights, and names the page's origin in answers to it. Cookies are never allowed along:
    who asks is said by a bearer token."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._any = "*" in origins
        self._origins = origins_of(*(text for text in origins if text != "*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_options = scope["type"] == "http" and scope["method"] == "OPTIONS"
        if scope["type"] != "http" or not (self._any or self._origins or is_options):
            return await self._app(scope, receive, send)
        origin = header(scope["headers"], b"origin")
        added: list[Header] = [_VARY]
        if origin is not None and self._allows(origin):
            added = [*added, (b"access-control-allow-origin", origin)]
        if is_options and origin is not None and header(scope["headers"], b"access-control-request-method"):
            return await self._answer_preflight(added, scope, receive, send)
        if len(added) > 1:
            added.append((b"access-control-expose-headers", _READABLE.encode()))

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        return await self._app(scope, receive, send_shared)

    def _allows(self, origin: bytes) -> bool:
        return self._any or _parsed(origin) in self._origins

    async def _answer_preflight(self, added: list[Header], scope: Scope, receive: Receive, send: Send) -> None:
        if len(added) > 1:
            await send({"type": "http.response.start", "status": 204, "headers": [*added, *_PREFLIGHT]})
            await send({"type": "http.response.body"})
        else:
            refusal = Forbidden(
                "Pages of this origin may not call: CORS_ORIGINS does not name it.",
                title="Not allowed for this origin",
                headers={"Vary": "Origin"},
            )
            await problem_of(refusal, scope["path"])(scope, receive, send)


@lru_cache(maxsize=256)
def _parsed(origin: bytes) -> Origin | None:
    return origin_of(origin.decode("latin-1"))
