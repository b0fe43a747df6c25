"""What is reachable from outside, and at whom it ends."""

import pytest
from pydantic import ValidationError

from gateway.config import GatewaySettings
from gateway.routes import Route, find_route


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
        "/api/users/..\\internal/",
        "//internal/users/1/",
    ],
)
def test_what_is_not_in_the_table_or_has_dot_segments_is_not_routed(path: str) -> None:
    assert find_route(path) is None


def settings(routes: str) -> GatewaySettings:
    return GatewaySettings(_env_file=None, env="development", routes=routes)


def test_the_table_can_be_a_setting_whose_first_match_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTES", " /api/orders/archive/=catalog , /api/orders/=orders ")
    table = GatewaySettings(_env_file=None, env="development").routes

    assert table == (Route("/api/orders/archive/", "catalog"), Route("/api/orders/", "orders"))
    assert find_route("/api/orders/archive/1/", table) == table[0]
    assert find_route("/api/orders/1/", table) == table[1]
    assert find_route("/api/users/", table) is None


@pytest.mark.parametrize(
    "routes",
    [
        "/api/orders/=billing",
        "/api/orders/",
        "api/orders/=orders",
        "/=orders",
        "/internal/=orders",
        "/internal=orders",
        "/internal/users/=accounts",
        "/health/=orders",
        "/health/ready=orders",
        "/metrics=orders",
        "/%69nternal/=orders",
        "//internal/=orders",
        "/api/../internal/=orders",
        "/api/?x=orders",
        "/in=orders,/internal/=orders",
    ],
)
def test_a_table_that_names_no_service_or_opens_what_is_internal_is_refused_at_the_start(routes: str) -> None:
    with pytest.raises(ValidationError):
        settings(routes)
