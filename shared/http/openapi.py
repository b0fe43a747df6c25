"""The OpenAPI document of a service: FastAPI's, with errors as they really are, each described once."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from starlette.responses import JSONResponse

from shared.errors import (
    Conflict,
    Forbidden,
    Invalid,
    MarketplaceError,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from shared.http.problems import MEDIA_TYPE, SLUGS, Problem

_INTEGER: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
_RETRY_AFTER: Final = {"Retry-After": {"description": "Seconds until it is worth another try", "schema": _INTEGER}}


class Refusal(NamedTuple):
    """An answer that many operations may give: a component of the document, with an example."""

    name: str
    description: str
    title: str
    detail: str
    members: Mapping[str, Any] = MappingProxyType({})
    headers: Mapping[str, Any] = MappingProxyType({})


REFUSALS: Final = {
    "400": Refusal("BadRequest", "The body can't be read", "Bad request", "The body is no JSON."),
    "401": Refusal(
        "Unauthenticated",
        "No token or password, or one that is wrong, has ended or was revoked",
        Unauthenticated.title,
        "This token has ended.",
        headers={"WWW-Authenticate": {"description": "`Bearer`", "schema": _TEXT}},
    ),
    "403": Refusal(
        "Forbidden",
        "Your role may not do this",
        Forbidden.title,
        "This is for a worker.",
    ),
    "404": Refusal(
        "NotFound",
        "There is no such thing, or none that is yours to know of",
        NotFound.title,
        "There is no such order.",
    ),
    "409": Refusal(
        "Conflict",
        "The present state forbids it. `type` says which rule did",
        Conflict.title,
        "An order that is completed can't be cancelled.",
    ),
    "412": Refusal(
        "VersionMismatch",
        "`If-Match` names a version that has passed: read again, then edit",
        PreconditionFailed.title,
        "This has changed meanwhile: its version is 4 now.",
        members={"version": 4},
    ),
    "413": Refusal("ContentTooLarge", "The body is too large", "Content too large", "At most 8 MiB."),
    "422": Refusal(
        "Invalid",
        "Some values can't be taken: `errors` names the fields",
        Invalid.title,
        "Some values can't be taken.",
        members={"errors": [{"field": "price", "message": "Field required", "code": "missing"}]},
    ),
    "429": Refusal(
        "TooManyRequests",
        "Over a limit",
        TooManyRequests.title,
        "Too many logins from this address.",
        headers=_RETRY_AFTER
        | {
            "RateLimit": {"description": "What is left of the limit, and until when", "schema": _TEXT},
            "RateLimit-Policy": {"description": "The limit, and its window in seconds", "schema": _TEXT},
        },
    ),
    "503": Refusal(
        "Unavailable",
        "Something this answer needs is away for now; nothing was changed",
        Unavailable.title,
        "The orders service is away for now.",
        headers=_RETRY_AFTER,
    ),
}
"""Status → what it means, wherever an operation may answer with it."""
OTHER: Final = Refusal("Error", "Any other error", MarketplaceError.title, "Something went wrong.")


def refers_to(refusal: Refusal) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{refusal.name}"}


def install_openapi(app: FastAPI) -> None:
    """Let the app's document say problem documents where FastAPI would say its own error shape."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def install_asyncapi(app: FastAPI, document: dict[str, Any]) -> None:
    """Serve what the service says beside HTTP next to what it says over it."""

    @app.get("/asyncapi.json", include_in_schema=False)
    async def asyncapi() -> JSONResponse:
        return JSONResponse(document)


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["responses"] = {OTHER.name: _answer(500, OTHER)} | {
        refusal.name: _answer(int(status), refusal) for status, refusal in REFUSALS.items()
    }
    for path in document.get("paths", {}).values():
        for operation in path.values():
            operation["summary"] = operation["summary"].capitalize()
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
            operation["responses"] = _responses(operation)
    return document


def _responses(operation: dict[str, Any]) -> dict[str, Any]:
    """What an operation may answer, in order; what is refused in the common way refers to that."""
    responses = operation["responses"]
    said = {*responses} | ({"400"} if "requestBody" in operation else set())
    if operation.get("security"):
        said |= {"401", "503"}  # also while it can't be told who asks
    for status, answer in responses.items():
        if answer["description"] == "Successful Response":
            answer["description"] = HTTPStatus(int(status)).phrase
    return {
        status: refers_to(REFUSALS[status]) if status in REFUSALS else responses[status] for status in sorted(said)
    } | {"default": refers_to(OTHER)}


def _answer(status: int, refusal: Refusal) -> dict[str, Any]:
    example = {
        "type": SLUGS.get(status, MarketplaceError.slug),
        "title": refusal.title,
        "status": status,
        "detail": refusal.detail,
        "instance": "/api/orders/create/",
        "request_id": "01a2043cb4547641affafb6747ab9433",
        **refusal.members,
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    headers = {"headers": dict(refusal.headers)} if refusal.headers else {}
    return {"description": refusal.description, **headers, "content": content}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out, and has no way to be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
