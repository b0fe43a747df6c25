"""Which WebSockets may begin: from pages of ours or from no page, and not too many from one address."""

import time
from collections import Counter
from datetime import timedelta

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.buckets import Clock
from gateway.config import GatewaySettings
from gateway.limits import buckets, caller_key, share
from gateway.sockets import refuse_with_problem
from shared.errors import MarketplaceError, TooManyRequests, wrong_origin
from shared.origins import origin_of


class Handshakes:
    """Plain ASGI: refuses a handshake before any service hears of it."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings, *, clock: Clock = time.monotonic) -> None:
        self._app = app
        self._origins = settings.page_origins
        self._begun = buckets("socket", settings, clock)
        self._most = share(settings.sockets_per_address, settings)
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return await self._app(scope, receive, send)
        key = caller_key(scope)
        if refusal := self._refusal(scope, key):
            return await refuse_with_problem(refusal, scope, receive, send)
        self._begun.take(key)
        self._open[key] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def _refusal(self, scope: Scope, key: str) -> MarketplaceError | None:
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if not all(origin_of(origin) in self._origins for origin in origins):
            return wrong_origin()
        if wait := self._begun.wait(key):
            return TooManyRequests("Too many WebSockets were begun here.", retry_after=timedelta(seconds=wait))
        if self._open[key] >= self._most:
            return TooManyRequests("Too many WebSockets are open here.", retry_after=timedelta(seconds=30))
        return None
