"""How many requests one may make: SECURITY.md, "Limits"; why it is counted so, docs/adr/0017-limits-at-the-edge.md."""

import math
import time
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.buckets import Buckets, Clock
from gateway.config import GatewaySettings
from gateway.headers import Header, header
from shared.addresses import is_among, parse_address, parse_networks
from shared.errors import TooManyRequests
from shared.http.problems import problem_of
from shared.observability.metrics import LIMITED

A_MINUTE: Final = {"read": 600, "write": 60, "user": 300, "login": 10, "pay": 20, "provider": 1000, "socket": 300}
"""Requests. `login` and `pay` come beside `write` and `user`; `socket` counts handshakes."""
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PROVIDERS: Final = "/api/payments/providers/"

Identify = Callable[[bytes], str | None]
"""The user whom an `Authorization` header proves, if any."""
Counted = tuple[tuple[Buckets, str], ...]


def share(limit: int, settings: GatewaySettings) -> int:
    """What this instance grants of a limit: at least one, and rounded up."""
    return math.ceil(limit * settings.rate_limit_scale / settings.gateway_instances)


def buckets(policy: str, settings: GatewaySettings, clock: Clock) -> Buckets:
    return Buckets(policy, share(A_MINUTE[policy], settings), clock=clock)


class Limits:
    """Plain ASGI: counts a request for whom it comes from, says what is left, and refuses what is too much."""

    def __init__(
        self, app: ASGIApp, identify: Identify, settings: GatewaySettings, *, clock: Clock = time.monotonic
    ) -> None:
        self._app, self._identify = app, identify
        self._buckets = {policy: buckets(policy, settings, clock) for policy in A_MINUTE}
        self._listed = parse_networks((*settings.payme_allowed_ips, *settings.click_allowed_ips))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = self._counted(scope) if scope["type"] == "http" else ()
        if not counted:
            return await self._app(scope, receive, send)
        wait = max(bucket.wait(key) for bucket, key in counted)
        if not wait:
            for bucket, key in counted:
                bucket.take(key)
        said = _said(counted)

        async def send_limited(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *said]
            await send(message)

        if not wait:
            return await self._app(scope, receive, send_limited)
        for bucket, key in counted:
            if bucket.wait(key):
                LIMITED.labels(bucket.policy).inc()
        refusal = TooManyRequests("Please slow down: Retry-After says how long.", retry_after=timedelta(seconds=wait))
        return await problem_of(refusal, scope["path"])(scope, receive, send_limited)

    def _counted(self, scope: Scope) -> Counted:
        """The buckets that a request takes from; none for probes, and for providers that call from where they said."""
        path: str = scope["path"]
        if path.startswith("/health/"):
            return ()
        if path.startswith(PROVIDERS):
            client = scope["client"][0] if scope.get("client") else None
            return () if is_among(client, self._listed) else ((self._buckets["provider"], caller_key(scope)),)
        post = scope["method"] == "POST"
        authorization = header(scope["headers"], b"authorization")
        user = self._identify(authorization) if authorization else None
        if user:
            counted: Counted = ((self._buckets["user"], user),)
            if post and path.startswith("/api/payments/order/"):
                return ((self._buckets["pay"], user), *counted)
            return counted
        key = caller_key(scope)
        if post and path.rstrip("/") == "/api/auth/login":
            return (self._buckets["login"], key), (self._buckets["write"], key)
        return ((self._buckets["read" if scope["method"] in READS else "write"], key),)


def caller_key(scope: Scope) -> str:
    """What a caller without a name is counted by."""
    return _network_of(scope["client"][0]) if scope.get("client") else "unknown"


@lru_cache(maxsize=4096)
def _network_of(text: str) -> str:
    """The address; of version 6 the /64, as that many are had by anyone who has one."""
    address = parse_address(text)
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address or text)


def _said(counted: Counted) -> list[Header]:
    """draft-ietf-httpapi-ratelimit-headers, 08 and later: `t` is when all is there again."""
    return [
        (b"ratelimit-policy", ", ".join(bucket.description for bucket, _ in counted).encode()),
        (b"ratelimit", ", ".join(bucket.state(key) for bucket, key in counted).encode()),
    ]
