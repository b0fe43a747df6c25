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
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
            if "requestBody" in operation:
                responses.setdefault("400", {"description": "The body can't be read", "content": reference})
            if "422" in responses:
                responses["422"] = {"description": "Invalid input", "content": reference}
            if operation.get("security"):
                responses.setdefault("401", {"description": "Authentication is needed", "content": reference})
                responses.setdefault("503", {"description": "Who asks can't be told for now", "content": reference})
            responses["default"] = {"description": "Any other error", "content": reference}
    return document


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out, and has no way to be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
