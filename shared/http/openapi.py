"""The OpenAPI document of a service: FastAPI's, with errors as they really are."""

from typing import Any

from fastapi import FastAPI

from shared.http.problems import MEDIA_TYPE, Problem


def install_openapi(app: FastAPI) -> None:
    """Let the app's document say problem documents where FastAPI would say its own error shape."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    reference = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in document.get("paths", {}).values():
        for operation in path.values():
            responses = operation["responses"]
            if "422" in responses:
                responses["422"] = {"description": "Invalid input", "content": reference}
            if operation.get("security"):
                responses.setdefault("401", {"description": "Authentication is needed", "content": reference})
            responses["default"] = {"description": "Any other error", "content": reference}
    return document
