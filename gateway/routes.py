"""Which service answers which path. What is not in the table is not reachable from outside."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

SERVICES: Final = ("accounts", "catalog", "orders", "payments", "notifications")
NEVER_ROUTED: Final = ("/internal/", "/health/", "/metrics/")
"""What processes serve to each other and to operators; no table can open it to the public."""
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")


class Route(NamedTuple):
    """A path that ends with a slash stands for everything below it, and for itself without the slash."""

    path: str
    service: str

    def matches(self, path: str) -> bool:
        below = self.path.endswith("/") and path.startswith(self.path)
        return below or path.rstrip("/") == self.path.rstrip("/")


ROUTES: Final = (
    Route("/api/auth/", "accounts"),
    Route("/api/users/", "accounts"),
    Route("/api/workers/", "accounts"),
    Route("/.well-known/jwks.json", "accounts"),
    Route("/api/services/", "catalog"),
    Route("/media/", "catalog"),
    Route("/api/orders/", "orders"),
    Route("/api/payments/", "payments"),
    Route("/api/notifications/", "notifications"),
    Route("/ws/notifications/", "notifications"),
)


def find_route(path: str, routes: Iterable[Route] = ROUTES) -> Route | None:
    """The route of a decoded path. None also for a path with dot segments: someone behind us could resolve them."""
    if not {".", ".."}.isdisjoint(path.replace("\\", "/").split("/")):
        return None
    return next((route for route in routes if route.matches(path)), None)


def parse_routes(text: str) -> tuple[Route, ...]:
    """The table that a setting writes as `/api/auth/=accounts,/media/=catalog`; the first that matches counts.

    Raises `ValueError` for what is no path, is no service, or would open `NEVER_ROUTED`.
    """
    pairs = (entry.partition("=") for entry in text.split(",") if entry.strip())
    routes = tuple(Route(path.strip(), service.strip()) for path, _, service in pairs)
    for path, service in routes:
        if service not in SERVICES:
            raise ValueError(f"{service!r} is no service: {', '.join(SERVICES)}")
        if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(path.split("/")):
            raise ValueError(f"{path!r} is no path to route")
        whole = path.rstrip("/") + "/"
        if any(whole.startswith(never) or never.startswith(path) for never in NEVER_ROUTED):
            raise ValueError(f"{path!r} is never routed")
    return routes
