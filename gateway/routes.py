"""Which service answers which path. What is not in the table is not reachable from outside."""

from typing import NamedTuple


class Route(NamedTuple):
    """A path that ends with a slash stands for everything below it, and for itself without the slash."""

    path: str
    service: str

    def matches(self, path: str) -> bool:
        below = self.path.endswith("/") and path.startswith(self.path)
        return below or path.rstrip("/") == self.path.rstrip("/")


ROUTES = (
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
SERVICES = tuple(dict.fromkeys(route.service for route in ROUTES))


def find_route(path: str) -> Route | None:
    """The route of a decoded path. None also for a path with dot segments: someone behind us could resolve them."""
    if not {".", ".."}.isdisjoint(path.split("/")):
        return None
    return next((route for route in ROUTES if route.matches(path)), None)
