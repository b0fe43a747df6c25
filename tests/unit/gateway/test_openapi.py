"""Several OpenAPI documents become one that is valid, complete, and says nothing of what is not public."""

from typing import Any

from openapi_spec_validator import validate

from gateway.openapi import join, public_part


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def operation(name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = {"description": "OK", "content": {"application/json": {"schema": schema}}}
    return {"operationId": name, "responses": {"200": answer}, "security": [{"Bearer": []}], **more}


def document(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    bearer = {"Bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1", "description": "What it does."},
        "paths": {path: {"get": op} for path, op in paths.items()},
        "components": {"schemas": schemas, "securitySchemes": bearer},
    }


PROBLEM = {"type": "object", "properties": {"title": {"type": "string"}}}
PAGE = {"type": "object", "properties": {"results": {"type": "array", "items": ref("Item")}}}

ORDERS = document(
    {
        "/api/orders/": operation("list", ref("Page"), tags=["own"]),
        "/api/orders/history/": operation("history", ref("Problem")),
        "/internal/orders/": operation("internal", ref("Secret")),
        "/health/live": operation("live", {}),
        "/metrics": operation("metrics", {}),
        "/api/users/": operation("not_theirs", {}),
    },
    {"Page": PAGE, "Item": {"type": "integer"}, "Problem": PROBLEM, "Secret": {"type": "string"}},
)
CATALOG = document(
    {"/api/services/": operation("list", ref("Page")), "/api/services/facets/": operation("facets", ref("Problem"))},
    {"Page": PAGE, "Item": {"type": "string"}, "Problem": PROBLEM},
)
JOINED = join({"orders": ORDERS, "catalog": CATALOG, "payments": None})


def answer_of(path: str) -> Any:
    return JOINED["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def test_the_joined_document_is_valid_and_names_who_is_away() -> None:
    validate(JOINED)
    assert JOINED["x-unavailable"] == ["payments"]
    assert JOINED["servers"] == [{"url": "/"}]


def test_only_what_is_routed_to_its_service_is_shown_and_only_what_that_uses() -> None:
    assert [*JOINED["paths"]] == [
        "/api/orders/",
        "/api/orders/history/",
        "/api/services/",
        "/api/services/facets/",
    ]
    assert "Secret" not in JOINED["components"]["schemas"]


def test_components_that_differ_get_their_services_name_also_when_only_what_they_refer_to_differs() -> None:
    assert {*JOINED["components"]["schemas"]} == {
        "orders_Page",
        "orders_Item",
        "catalog_Page",
        "catalog_Item",
        "Problem",
    }
    assert answer_of("/api/orders/") == ref("orders_Page")
    assert answer_of("/api/services/") == ref("catalog_Page")
    assert JOINED["components"]["schemas"]["catalog_Page"]["properties"]["results"]["items"] == ref("catalog_Item")


def test_components_that_are_the_same_are_there_once() -> None:
    assert answer_of("/api/orders/history/") == answer_of("/api/services/facets/") == ref("Problem")
    assert JOINED["components"]["securitySchemes"] == {"Bearer": {"type": "http", "scheme": "bearer"}}


def test_operations_are_tagged_with_their_service_and_their_ids_are_unique() -> None:
    operations = [item["get"] for item in JOINED["paths"].values()]
    assert [op["tags"] for op in operations] == [["orders"], ["orders"], ["catalog"], ["catalog"]]
    assert [op["operationId"] for op in operations] == ["orders_list", "history", "catalog_list", "facets"]
    assert [tag["name"] for tag in JOINED["tags"]] == ["orders", "catalog"]


def test_security_schemes_and_discriminators_follow_a_new_name() -> None:
    def service(path: str, kind: str) -> dict[str, Any]:
        choice = {
            "oneOf": [ref("Card")],
            "discriminator": {"propertyName": "p", "mapping": {"card": ref("Card")["$ref"]}},
        }
        found = document({path: operation("pay", choice)}, {"Card": {"type": kind}})
        found["components"]["securitySchemes"]["Bearer"]["description"] = kind
        return found

    joined = join({"orders": service("/api/orders/", "object"), "payments": service("/api/payments/", "string")})

    validate(joined)
    pay = joined["paths"]["/api/payments/"]["get"]
    schema = pay["responses"]["200"]["content"]["application/json"]["schema"]
    assert pay["security"] == [{"payments_Bearer": []}]
    assert schema["discriminator"]["mapping"] == {"card": "#/components/schemas/payments_Card"}


def test_a_services_own_document_keeps_its_names_and_what_it_was_made_of_is_left_as_it_was() -> None:
    own = public_part("orders", ORDERS)

    validate(own)
    assert [*own["paths"]] == ["/api/orders/", "/api/orders/history/"]
    assert {*own["components"]["schemas"]} == {"Page", "Item", "Problem"}
    assert "/internal/orders/" in ORDERS["paths"]
    assert ORDERS["paths"]["/api/orders/"]["get"]["tags"] == ["own"]


def test_what_the_gateway_itself_may_answer_is_said_of_every_operation() -> None:
    answers = {name: {"description": name} for name in ("TooManyRequests", "Unavailable")}
    found = document({"/api/orders/": operation("list", {"type": "string"})}, {})
    found["components"]["responses"] = answers

    joined = join({"orders": found})

    validate(joined)
    said = joined["paths"]["/api/orders/"]["get"]["responses"]
    assert {status: answer.get("$ref") for status, answer in said.items()} == {
        "200": None,
        "429": "#/components/responses/TooManyRequests",
        "503": "#/components/responses/Unavailable",
    }
    assert joined["components"]["responses"] == answers
    assert [*found["paths"]["/api/orders/"]["get"]["responses"]] == ["200"]


def test_a_schema_that_gets_another_name_gets_it_as_its_title_too() -> None:
    def service(path: str, kind: str) -> dict[str, Any]:
        return document({path: operation("get", ref("Status"))}, {"Status": {"title": "Status", "type": kind}})

    schemas = join({"orders": service("/api/orders/", "string"), "payments": service("/api/payments/", "integer")})

    assert {schema["title"] for schema in schemas["components"]["schemas"].values()} == {
        "orders_Status",
        "payments_Status",
    }
