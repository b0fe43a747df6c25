"""What is kept at the gateway for a second, and what is not, in the whole system with its cache on."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from marketplace.system import System, serving
from services.catalog.api import services as service
from shared.http.server import listen
from tests.integration.conftest import SETTINGS
from tests.support.people import Person, expect
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    with listen("127.0.0.1", 0) as public:
        async with serving(public, databases.__getitem__, {**SETTINGS, "cache_size": 2**26}) as running:
            yield running


async def test_what_a_moderator_hides_is_soon_gone_for_everyone(
    http: httpx.AsyncClient, admin: Person, worker: Person
) -> None:
    offered = await worker.offer()
    path = f"/api/services/{offered['id']}/"

    async def seen() -> httpx.Response:
        return await http.get(path)

    async def gone() -> bool:
        return (await seen()).status_code == 404

    expect(await seen(), 200)
    expect(await admin.post(path + "moderate/", {"action": "hide", "reason": "No phone numbers in titles."}), 200)
    await eventually(gone)
    expect(await worker.get(path), 200)


async def test_what_is_kept_for_longer_since_nothing_has_changed_goes_as_soon(
    http: httpx.AsyncClient, worker: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = await worker.offer()
    path = f"/api/services/{offered['id']}/"
    read = service.visible_service
    readings = 0

    async def counted(*args: Any) -> Any:
        nonlocal readings
        readings += 1
        return await read(*args)

    monkeypatch.setattr(service, "visible_service", counted)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert expect(await http.get(path), 200)["title"] == offered["title"]
        await asyncio.sleep(0.1)
    assert readings <= 2, "asked about each second"

    async def changed() -> bool:
        return bool(expect(await http.get(path), 200)["title"] == "Tap replacement")

    expect(await http.patch(path, json={"title": "Tap replacement"}, headers=worker.headers), 200)
    await eventually(changed, within=2)


async def test_who_says_who_they_are_reads_their_own_change_at_once(http: httpx.AsyncClient, worker: Person) -> None:
    offered = await worker.offer()
    path = f"/api/services/{offered['id']}/"
    expect(await http.get(path), 200)
    change: dict[str, Any] = {"title": "Tap replacement"}
    expect(await http.patch(path, json=change, headers=worker.headers), 200)
    assert expect(await worker.get(path), 200)["title"] == "Tap replacement"


async def test_each_reads_in_their_own_language(http: httpx.AsyncClient) -> None:
    async def first(language: str) -> str:
        answer = await http.get("/api/services/categories/", headers={"Accept-Language": language})
        name: str = expect(answer, 200)["results"][0]["name"]
        return name

    assert len({await first(language) for language in ("uz", "ru", "en") * 2}) == 3
