"""Live depends on nothing; ready on what requests need; a broker that is away only degrades."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

import shared.platform
from shared.errors import Unavailable
from shared.messaging.relay import Backlog


@pytest.fixture
def system(app: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service whose database, keys and broker are there; its attributes take them away."""

    class System:
        database_error: Exception | None = None
        waiting = Backlog(0, timedelta())
        known = revocations_known = True
        connected = True

    system, platform = System(), app.state.platform

    async def ping(_: timedelta) -> None:
        if system.database_error:
            raise system.database_error

    async def backlog(_: Any) -> Backlog:
        return system.waiting

    monkeypatch.setattr(platform.database, "ping", ping)
    monkeypatch.setattr(shared.platform, "backlog", backlog)
    monkeypatch.setattr(type(platform.authenticator.keys), "known", property(lambda _: system.known))
    revocations = type(platform.authenticator.revocations)
    monkeypatch.setattr(revocations, "known", property(lambda _: system.revocations_known))
    monkeypatch.setattr(type(platform.bus), "connected", property(lambda _: system.connected))
    return system


async def test_a_service_with_all_it_needs_is_ready(http: httpx.AsyncClient, system: Any) -> None:
    answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


@pytest.mark.parametrize("error", [TimeoutError(), Unavailable("away"), OSError("postgresql://a:hush@db")])
async def test_a_service_without_its_database_is_not_ready_and_says_no_address(
    http: httpx.AsyncClient, system: Any, error: Exception
) -> None:
    system.database_error = error
    answer = await http.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "database": type(error).__name__}
    assert (await http.get("/health/live")).status_code == 200


async def test_a_service_without_keys_is_not_ready(http: httpx.AsyncClient, system: Any) -> None:
    system.known = False
    assert (await http.get("/health/ready")).status_code == 503


async def test_a_service_that_has_not_read_what_is_revoked_is_not_ready(http: httpx.AsyncClient, system: Any) -> None:
    system.revocations_known = False
    assert (await http.get("/health/ready")).status_code == 503


async def test_a_broker_that_is_away_only_degrades(http: httpx.AsyncClient, system: Any) -> None:
    system.connected = False
    answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"], answer.json()["broker"]) == (200, "degraded", "away")


async def test_events_that_wait_for_long_only_degrade_and_are_counted(http: httpx.AsyncClient, system: Any) -> None:
    system.waiting = Backlog(12, timedelta(seconds=31))
    answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["outbox"] == {"waiting": 12, "oldest_seconds": 31.0}


async def test_a_service_whose_relay_has_ended_is_not_ready(http: httpx.AsyncClient, app: Any, system: Any) -> None:
    async def end() -> None:
        """As a bug would."""

    ended = asyncio.create_task(end())
    await ended
    app.state.platform._loops = [ended]

    assert (await http.get("/health/ready")).status_code == 503
