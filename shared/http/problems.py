"""Problem documents (RFC 9457): the one shape of every error, from the gateway and from every service."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from shared.errors import FieldError, MarketplaceError
from shared.observability.context import current_request_id
from shared.observability.logging import redact

MEDIA_TYPE = "application/problem+json"
SLUGS = {
    400: "bad-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    412: "version-mismatch",
    413: "content-too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "too-many-requests",
    431: "headers-too-large",
    503: "unavailable",
}
"""For what the framework refuses. Written out, because Python's own phrases change with its version."""

log = structlog.get_logger()


class ProblemField(BaseModel):
    field: str
    message: str
    code: str


class Problem(BaseModel):
    """How every error reads: RFC 9457, with the id under which it stands in the logs."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A stable slug to program against", examples=["not-found"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for")
    request_id: str
    errors: list[ProblemField] = Field(default=[], description="The fields that can't be taken, for 422")


def problem_response(
    status: int,
    *,
    slug: str,
    title: str,
    detail: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    body = {
        "type": slug,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": path,
        "request_id": current_request_id(),
    }
    return JSONResponse(body | members, status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: MarketplaceError, path: str) -> JSONResponse:
    headers = dict(error.headers)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", "Bearer")
    return problem_response(
        error.status,
        slug=error.slug,
        title=error.title,
        detail=error.detail,
        path=path,
        headers=headers,
        **error.members,
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these statuses, for its OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


class MisshapenAnswer(Exception):
    """A route returned what its response model does not take: which fields and why. The framework's own error quotes
    the values, and it is for the log."""


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app with a problem document, and log what nobody expected."""

    @app.exception_handler(MarketplaceError)
    async def expected(request: Request, error: MarketplaceError) -> JSONResponse:
        return problem_of(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(
            422,
            slug="invalid",
            title="Invalid input",
            detail="Some values can't be taken.",
            path=request.url.path,
            errors=_field_errors(error.errors()),
        )

    @app.exception_handler(ResponseValidationError)
    async def misshapen(_: Request, error: ResponseValidationError) -> JSONResponse:
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors())
        raise MisshapenAnswer("; ".join(wrong)) from None

    @app.exception_handler(HTTPException)
    async def from_framework(request: Request, error: HTTPException) -> JSONResponse:
        slug = SLUGS.get(error.status_code, f"http-{error.status_code}")
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed_methods(request)
        return problem_response(
            error.status_code,
            slug=slug,
            title=slug.replace("-", " ").capitalize(),
            detail=str(error.detail),
            path=request.url.path,
            headers=headers,
        )


def _allowed_methods(request: Request) -> str:
    """Of all routes at this path: the framework names those of the first one alone."""
    routes = [
        route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(request.scope["path"])
    ]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


def _field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Where and why, and never the input: it may hold a password or a card, as may the name of an unknown field."""
    return [
        {
            "field": redact(".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])),
            "message": error["msg"],
            "code": error["type"],
        }
        for error in errors
    ]
