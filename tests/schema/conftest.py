"""The system that integration tests run, with the same people and things in it."""

import httpx
import pytest

from marketplace.system import System
from tests.integration.conftest import admin, databases, http, postgres, system
from tests.integration.world import World, prepared
from tests.support.people import Person

__all__ = ["admin", "databases", "http", "postgres", "system"]


@pytest.fixture(scope="module")
async def world(system: System, http: httpx.AsyncClient, admin: Person) -> World:
    return await prepared(system, http, admin)
