"""A commit that fails is a failed request."""

import asyncio

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import text

from marketplace.registry import service_settings
from shared.http.server import Server, listen, server_config
from shared.http.service import DbSession, create_service
from shared.messaging.local import LocalBus, LocalHub
from tests.integration.conftest import SETTINGS


@pytest.fixture
async def failing_at_commit(databases: dict[str, str]):
    """A service whose one route writes what only the commit finds wrong."""
    router = APIRouter()

    @router.post("/api/write/", status_code=201)
    async def write(session: DbSession) -> dict[str, str]:
        """Write what a deferred constraint refuses at the end."""
        await session.exec(
            text("CREATE TEMP TABLE once (value int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP")
        )
        await session.exec(text("INSERT INTO once VALUES (1), (1)"))
        return {"written": "yes"}

    settings = service_settings("catalog", **SETTINGS, database_url=databases["catalog"])
    app = create_service(
        "catalog",
        settings,
        description="",
        routers=[router],
        subscribe=lambda _: None,
        bus=LocalBus(LocalHub(), "catalog"),
    )
    with listen("127.0.0.1", 0) as sock:
        server = Server(server_config(app))
        task = asyncio.create_task(server.serve([sock]))
        await server.started_up(task)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        await task


async def test_a_commit_that_fails_is_a_failed_request(failing_at_commit: str) -> None:
    async with httpx.AsyncClient(base_url=failing_at_commit, trust_env=False) as http:
        answer = await http.post("/api/write/")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "written" not in answer.text
