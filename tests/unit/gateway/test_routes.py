"""What is reachable from outside, and at whom it ends."""

import pytest

from gateway.routes import find_route


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/auth/login/", "accounts"),
        ("/api/users/me/", "accounts"),
        ("/api/workers", "accounts"),
        ("/.well-known/jwks.json", "accounts"),
        ("/api/services/categories/", "catalog"),
        ("/media/services/x.webp", "catalog"),
        ("/api/orders/create", "orders"),
        ("/api/payments/providers/payme/", "payments"),
        ("/api/notifications/", "notifications"),
        ("/ws/notifications", "notifications"),
        ("/ws/notifications/", "notifications"),
    ],
)
def test_a_path_belongs_to_its_service_with_and_without_the_last_slash(path: str, service: str) -> None:
    route = find_route(path)
    assert route
    assert route.service == service


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/",
        "/api/schema/",
        "/api/usersx/",
        "/api//users/",
        "/API/users/",
        "/internal/users/1/",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/.well-known/jwks.json/more",
        "/.well-known/",
        "/api/users/../../internal/users/1/",
        "/api/users/./me/",
        "/api/users/..",
        "/media/../internal/users/1/",
        "/media/services/../../metrics",
    ],
)
def test_what_is_not_in_the_table_or_has_dot_segments_is_not_routed(path: str) -> None:
    assert find_route(path) is None
