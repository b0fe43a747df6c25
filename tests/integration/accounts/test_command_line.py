"""What an operator does beside the running services: `marketplace create-admin`, `users`, `rotate-keys`."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.conftest import SETTINGS
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

Marketplace = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def marketplace(system: Any, databases: dict[str, str]) -> Marketplace:
    """Run the program as in accounts' container."""
    secrets = {name.upper(): str(value) for name, value in SETTINGS.items() if name.endswith("_secret")}
    own = {"ENV": "development", "DATABASE_URL": databases["accounts"], **secrets}

    def run(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "marketplace", *arguments]
        return subprocess.run(
            command, env={**os.environ, **own}, input=stdin, capture_output=True, text=True, timeout=60
        )

    return run


async def log_in(http: httpx.AsyncClient, email: str, password: str = "correct horse") -> httpx.Response:
    return await http.post("/api/auth/login/", json={"email": email, "password": password})


async def test_an_admin_is_made_with_a_password_from_stdin(http: httpx.AsyncClient, marketplace: Marketplace) -> None:
    email = f"{uuid4()}@example.com"

    made = marketplace("create-admin", "--email", email, "--name", "Root", stdin="battery staple\n")

    assert (made.returncode, made.stderr) == (0, "")
    login = expect(await log_in(http, email, "battery staple"), 200)
    assert (login["user"]["role"], login["user"]["full_name"]) == ("admin", "Root")
    assert "battery" not in made.stdout


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("{known}", "battery staple", "An account with this e-mail exists already."),
        ("no address", "battery staple", "EMAIL"),
        ("{new}", "short", "PASSWORD"),
        ("{new}", "password123", "password: This is one of the commonest passwords"),
    ],
)
async def test_an_admin_that_cannot_be_made_is_refused_in_one_line(
    client: Person, marketplace: Marketplace, email: str, password: str, said: str
) -> None:
    address = email.format(known=client.login["user"]["email"], new=f"{uuid4()}@example.com")

    refused = marketplace("create-admin", "--email", address, stdin=f"{password}\n")

    assert refused.returncode in (1, 2)
    assert refused.stderr.startswith(said)
    assert refused.stderr.count("\n") == 1
    assert password not in refused.stderr


async def test_a_password_is_never_an_argument(marketplace: Marketplace) -> None:
    assert "password" not in marketplace("create-admin", "--help").stdout.lower().replace("the password is asked", "")


async def test_users_are_listed(http: httpx.AsyncClient, marketplace: Marketplace) -> None:
    mark = uuid4().hex
    person = await register(http, "worker", full_name=f"Ўткир {mark}")

    listed = marketplace("users", "list", "--search", mark)

    assert listed.stdout == f"{person.id}  worker  active  {person.login['user']['email']}  Ўткир {mark}\n"
    assert marketplace("users", "list", "--search", mark, "--role", "client").stdout == ""
    assert marketplace("users", "list", "--role", "king").returncode == 2


async def test_a_ban_reaches_every_service_and_is_taken_back(
    http: httpx.AsyncClient, client: Person, marketplace: Marketplace
) -> None:
    email = client.login["user"]["email"]

    assert marketplace("users", "ban", email).returncode == 0

    async def out() -> bool:
        paths = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")
        return [(await client.get(path)).status_code for path in paths] == [401] * 4

    await eventually(out)
    assert (await log_in(http, email)).status_code == 401
    assert marketplace("users", "unban", email.upper()).returncode == 0
    assert (await log_in(http, email)).status_code == 200


async def test_another_role_needs_another_login(
    http: httpx.AsyncClient, client: Person, marketplace: Marketplace
) -> None:
    email = client.login["user"]["email"]

    assert marketplace("users", "set-role", email, "worker").returncode == 0

    async def out() -> bool:
        return (await client.get("/api/orders/")).status_code == 401

    await eventually(out)
    again = Person(http, expect(await log_in(http, email), 200))
    assert again.login["user"]["role"] == "worker"
    assert expect(await http.get(f"/api/workers/{again.id}/"), 200)["full_name"] == "A client"


async def test_nobody_is_no_traceback(marketplace: Marketplace) -> None:
    refused = marketplace("users", "ban", "nobody@example.com")

    assert refused.returncode == 1
    assert refused.stderr == "There is no user nobody@example.com.\n"


async def test_keys_are_rotated(http: httpx.AsyncClient, marketplace: Marketplace) -> None:
    before = {key["kid"] for key in expect(await http.get("/.well-known/jwks.json"), 200)["keys"]}

    rotated = marketplace("rotate-keys")

    after = {key["kid"] for key in expect(await http.get("/.well-known/jwks.json"), 200)["keys"]}
    assert rotated.returncode == 0
    assert after - before == {rotated.stdout.split()[0]}
