"""The system that integration tests run, with the same people and things in it."""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import httpx
import pytest
from hypothesis.internal.conjecture import providers

from marketplace.system import System, serving
from shared.http.server import listen
from tests.integration.conftest import SETTINGS, admin, databases, http, postgres
from tests.integration.world import World, prepared
from tests.support.people import Person

__all__ = ["admin", "databases", "http", "postgres"]


@pytest.fixture(scope="module", autouse=True)
def same_values_in_every_run() -> Iterator[None]:
    """Hypothesis also draws from the literals of our modules that happen to be imported: those of whatever other tests
    ran before in this process."""
    with pytest.MonkeyPatch.context() as patch:
        none = providers.Constants()
        patch.setattr(providers, "_get_local_constants", lambda: none)
        providers.CONSTANTS_CACHE.cache.clear()
        yield


@pytest.fixture(scope="module")
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    """With more patience, for the machine may be busy, and a 503 or a token that has ended would be a finding."""
    patient = {**SETTINGS, "internal_timeout": "30s", "upstream_timeout": "30s", "access_token_ttl": "1h"}
    with listen("127.0.0.1", 0) as public:
        async with serving(public, databases.__getitem__, patient) as running:
            yield running


@pytest.fixture(scope="module")
async def world(system: System, http: httpx.AsyncClient, admin: Person) -> World:
    return await prepared(system, http, admin)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A finding shows its call and answer; the log of thousands of others would only hide it."""
    report = yield
    if call.when == "call":
        report.sections.clear()
    return report
