"""Real servers for a session, and the whole system in this process for the modules that ask for it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from marketplace.admins import ensure_admin
from marketplace.system import System, serving
from shared.http.server import listen
from tests.support.mails import MailFolder
from tests.support.people import Person, register
from tests.support.postgres import PostgresServer
from tests.support.servers import postgres_server
from tests.support.stack import provisioned_urls

SETTINGS: Mapping[str, Any] = {
    "env": "development",
    "internal_secret": "an internal secret of the tests alone",
    "keys_secret": "a keys secret of the tests alone",
    "refresh_secret": "a refresh secret of the tests alone",
    "retry_delays": "20ms,40ms,80ms",
    "relay_poll": "1s",
    "inbox_poll": "1s",
    "reconnect_delay": "100ms",
    "database_retry": "50ms",
    "jwks_retry_after": "100ms",
    "socket_auth_timeout": "1500ms",
    "socket_sweep": "500ms",
    "fake_gateway_success_rate": 1.0,
    "reconcile_every": "250ms",
    "reconcile_after": "200ms",
    "void_after": "1s",
    "relay_back_off": "50ms",
    "relay_back_off_max": "200ms",
    "rate_limit_scale": 1000.0,
    "cache_size": 0,
    "internal_timeout": "10s",
    "upstream_connect_timeout": "10s",
    "db_pool_timeout": "20s",
    "db_statement_timeout": "20s",
    "mail_poll": "500ms",
    "email_delay": "1h",
    "expire_every": "250ms",
    "timers_every": "250ms",
    "mail_dir": tempfile.mkdtemp(prefix="marketplace-mails-"),
    "media_dir": tempfile.mkdtemp(prefix="marketplace-media-"),
}
"""Of every process in these tests: as in life, but for waits that are made short, limits that a busy machine would
meet, the gateway's cache, by which a public read may be a second old, and digests, which all people of the tests
before would be due for."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def mails() -> Iterator[MailFolder]:
    """Every mail that was sent."""
    yield MailFolder(Path(SETTINGS["mail_dir"]))
    shutil.rmtree(SETTINGS["mail_dir"])


@pytest.fixture(scope="session", autouse=True)
def media() -> Iterator[Path]:
    """The folder of pictures."""
    yield Path(SETTINGS["media_dir"])
    shutil.rmtree(SETTINGS["media_dir"])


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer) -> dict[str, str]:
    """The five databases, migrated: service → address, each its own user's."""
    return provisioned_urls(postgres.admin_url)


@pytest.fixture(scope="module")
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    """All six apps on the in-process bus, reached through the gateway."""
    with listen("127.0.0.1", 0) as public:
        async with serving(public, databases.__getitem__, SETTINGS) as running:
            yield running


@pytest.fixture(scope="module")
async def http(system: System) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.address, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
async def client(http: httpx.AsyncClient) -> Person:
    return await register(http, "client")


@pytest.fixture
async def worker(http: httpx.AsyncClient) -> Person:
    return await register(http, "worker")


@pytest.fixture(scope="module")
async def admin(system: System, http: httpx.AsyncClient) -> Person:
    login = {"email": "admin@example.com", "password": "correct horse"}
    await ensure_admin(system.apps["accounts"].state, **login, full_name="An admin")
    answer = await http.post("/api/auth/login/", json=login)
    return Person(http, answer.raise_for_status().json())
