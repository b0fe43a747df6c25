"""What an orchestrator and Prometheus ask of a process; the gateway routes none of it."""

from typing import Protocol

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response


class HasReadiness(Protocol):
    async def readiness(self) -> tuple[bool, dict[str, object]]: ...


def health_routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers; it depends on nothing."""
        return {"status": "live"}

    @router.get("/health/ready")
    async def ready(request: Request) -> JSONResponse:
        platform: HasReadiness = request.app.state.platform
        is_ready, body = await platform.readiness()
        return JSONResponse(body, 200 if is_ready else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
