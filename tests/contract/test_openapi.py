"""What the services say of themselves is true, whole, and what the gateway routes."""

from collections.abc import Iterable
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.openapi import join
from gateway.routes import find_route
from marketplace.registry import SERVICES
from tests.contract.apps import PROBLEM, answer_of, app_of, operations

OPERATIONS = [pytest.param(*found, id=f"{found[1]} {found[2]}") for found in operations()]
FRACTIONS = {"lat", "lng", "distance_km"}
"""The only numbers with a fraction: places and distances, never amounts."""
MONEY = {"price", "total", "amount", "refunded", "balance", "hourly_rate"}
PUBLIC = {
    ("POST", "/api/auth/register/"),
    ("POST", "/api/auth/login/"),
    ("POST", "/api/auth/refresh/"),
    ("POST", "/api/auth/logout/"),
    ("POST", "/api/auth/password/reset/"),
    ("POST", "/api/auth/password/reset/confirm/"),
    ("POST", "/api/auth/email/confirm/"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/api/workers/"),
    ("GET", "/api/workers/{worker_id}/"),
    ("GET", "/api/services/categories/"),
    ("GET", "/api/services/"),
    ("GET", "/api/services/facets/"),
    ("GET", "/api/services/{service_id}/"),
}
"""What anyone may call; all else needs a token."""


def served_paths(routes: Iterable[Any]) -> set[str]:
    """Of all routes of an app, also of those that its document is silent of."""
    found: set[str] = set()
    for route in routes:
        router = getattr(route, "original_router", None)  # FastAPI keeps an included router as it is
        found |= {getattr(route, "path_format", route.path)} if router is None else served_paths(router.routes)
    return found


def schemas_in_answers(service: str) -> dict[str, Any]:
    """Name → schema, of what answers are made of."""
    schemas: dict[str, Any] = app_of(service).openapi()["components"]["schemas"]
    return {name: schema for name, schema in schemas.items() if not name.endswith("In")}


def types(schema: dict[str, Any]) -> set[str]:
    """Of a field's values, but for null."""
    return {kind for part in schema.get("anyOf", [schema]) if (kind := part.get("type", "object")) != "null"}


def money_fields() -> list[Any]:
    return [
        pytest.param(schema["properties"][name], id=f"{service}-{model}-{name}")
        for service in SERVICES
        for model, schema in schemas_in_answers(service).items()
        for name in schema.get("properties", {})
        if name in MONEY
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_document_is_valid(service: str) -> None:
    validate(app_of(service).openapi())


def test_all_documents_together_are_valid_and_whole() -> None:
    joined = join({service: app_of(service).openapi() for service in SERVICES})

    validate(joined)
    assert joined["x-unavailable"] == []
    assert {*joined["paths"]} == {path for _, _, path, _ in operations()}


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_a_public_path_is_routed_to_the_service_that_serves_it(
    service: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    route = find_route(path)
    assert route
    assert route.service == service


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_document_is_silent_of_is_not_routed_but_for_the_websocket_files_and_providers(service: str) -> None:
    silent = served_paths(app_of(service).routes) - {*app_of(service).openapi()["paths"]}

    assert {"/health/live", "/health/ready", "/metrics"} <= silent
    routed = {
        "notifications": {"/ws/notifications/"},
        "catalog": {"/media/services/{file}"},
        "payments": {f"/api/payments/providers/{call}/" for call in ("payme", "click/prepare", "click/complete")},
    }
    assert {path for path in silent if find_route(path)} == routed.get(service, set())


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_for_other_services_is_there_and_neither_said_nor_routed(service: str) -> None:
    internal = [path for path in served_paths(app_of(service).routes) if path.startswith("/internal/")]

    assert internal
    assert not [path for path in internal if find_route(path) or path in app_of(service).openapi()["paths"]]


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_a_path_ends_with_a_slash(service: str, method: str, path: str, operation: dict[str, Any]) -> None:
    assert path.endswith("/") or path == "/.well-known/jwks.json"


@pytest.mark.parametrize(("service", "path"), sorted({(s, path) for s, _, path, _ in operations() if "{" not in path}))
def test_a_path_with_a_name_of_its_own_is_nothings_id(service: str, path: str) -> None:
    routes = iter_route_contexts(app_of(service).routes)

    assert {route.path_format for route in routes if route.path_regex.match(path)} == {path}


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_an_operation_says_what_it_does(service: str, method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert operation["tags"]


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_every_error_of_an_operation_is_a_problem(
    service: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    errors = {status: answer for status, answer in operation["responses"].items() if status[0] not in "23"}

    assert "default" in errors
    kinds = {status: [*answer_of(service, answer)["content"]] for status, answer in errors.items()}
    assert {status for status, kind in kinds.items() if kind != [PROBLEM]} == set()


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_what_takes_input_may_answer_422(service: str, method: str, path: str, operation: dict[str, Any]) -> None:
    takes_input = bool(operation.get("parameters") or operation.get("requestBody"))
    assert ("422" in operation["responses"]) == takes_input


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_what_is_not_for_anyone_needs_a_token_and_may_answer_401(
    service: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    secured = bool(operation.get("security")) and {} not in operation["security"]

    assert secured == ((method, path) not in PUBLIC)
    assert not secured or "401" in operation["responses"]


def test_where_a_token_shows_more_it_is_said_to_be_optional() -> None:
    operation = app_of("catalog").openapi()["paths"]["/api/services/{service_id}/"]["get"]

    assert operation["security"] == [{"HTTPBearer": []}, {}]
    assert "401" in operation["responses"]


@pytest.mark.parametrize(("service", "method", "path", "operation"), OPERATIONS)
def test_what_names_a_thing_may_answer_404(service: str, method: str, path: str, operation: dict[str, Any]) -> None:
    assert "{" not in path or "404" in operation["responses"]


@pytest.mark.parametrize("schema", money_fields())
def test_money_is_a_string(schema: dict[str, Any]) -> None:
    assert types(schema) == {"string"}


def test_there_is_money_in_accounts_catalog_orders_and_payments() -> None:
    ids = {str(field.id) for field in money_fields()}
    assert {"catalog-ServiceOut-price", "orders-OrderOut-total", "payments-PaymentOut-amount"} <= ids
    assert "accounts-WorkerOut-hourly_rate" in ids


@pytest.mark.parametrize("service", SERVICES)
def test_examples_are_of_what_they_stand_in(service: str) -> None:
    document = app_of(service).openapi()
    for name, schema in document["components"]["schemas"].items():
        for part in (schema, *schema.get("properties", {}).values()):
            for example in part.get("examples", ()):
                errors = Draft202012Validator({**part, "components": document["components"]}).iter_errors(example)
                assert not [*errors], name


def test_what_a_front_end_calls_first_shows_what_to_send() -> None:
    calls = {
        ("accounts", "/api/auth/register/"),
        ("accounts", "/api/auth/login/"),
        ("catalog", "/api/services/"),
        ("orders", "/api/orders/create/"),
        ("payments", "/api/payments/order/{order_id}/pay/"),
    }
    for service, path in calls:
        document = app_of(service).openapi()
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert document["components"]["schemas"][body["$ref"].rpartition("/")[2]]["examples"], path


@pytest.mark.parametrize("service", SERVICES)
def test_no_number_in_an_answer_has_a_fraction_but_places_and_distances(service: str) -> None:
    fractions = {
        name
        for schema in schemas_in_answers(service).values()
        for name, field in schema.get("properties", {}).items()
        if "number" in types(field)
    }
    assert fractions <= FRACTIONS


@pytest.mark.parametrize("service", SERVICES)
def test_no_answer_holds_a_credential_but_those_of_a_login(service: str) -> None:
    secrets = ("password", "secret", "cvc", "hash", "email_key", "refresh", "access", "card_number")
    held = {
        f"{model}.{name}"
        for model, schema in schemas_in_answers(service).items()
        for name in schema.get("properties", {})
        if any(secret in name for secret in secrets)
    }
    logins = {"LoginOut.access", "LoginOut.refresh"}
    assert held == (logins if service == "accounts" else set())


@pytest.mark.parametrize(
    ("service", "path", "page"),
    [
        ("accounts", "/api/workers/", "Page_FoundWorkerOut_"),
        ("catalog", "/api/services/", "Page_FoundServiceOut_"),
        ("catalog", "/api/services/mine/", "Page_OwnServiceOut_"),
        ("catalog", "/api/services/moderation/", "Page_OwnServiceOut_"),
        ("orders", "/api/orders/", "Page_OrderOut_"),
        ("payments", "/api/payments/", "Page_WholePaymentOut_"),
        ("payments", "/api/payments/refunds/", "Page_RefundOut_"),
        ("payments", "/api/payments/balance/", "BalanceOut"),
        ("notifications", "/api/notifications/", "Page_NotificationOut_"),
    ],
)
def test_a_list_is_a_page_that_says_how_it_is_turned(service: str, path: str, page: str) -> None:
    operation = app_of(service).openapi()["paths"][path]["get"]

    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(f"/{page}")
    assert {"limit", "cursor"} <= {parameter["name"] for parameter in operation["parameters"]}


@pytest.mark.parametrize("service", ["accounts", "catalog", "orders", "payments", "notifications"])
def test_a_page_has_results_and_its_neighbours(service: str) -> None:
    pages = [schema for name, schema in schemas_in_answers(service).items() if name.startswith("Page_")]
    assert pages
    assert all({*page["properties"]} == {"results", "next", "previous"} for page in pages)


def test_an_orders_history_says_from_and_to() -> None:
    assert {*schemas_in_answers("orders")["HistoryOut"]["properties"]} == {
        "from",
        "to",
        "actor_id",
        "actor_role",
        "note",
        "at",
    }
