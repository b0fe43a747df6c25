"""Whom notifications may write to, and nobody else is told."""

from typing import Any

import httpx
import pytest

from marketplace.system import System
from shared.auth.service_tokens import issue_service_token
from shared.http.internal import InternalClient, OwnerAway
from tests.integration.conftest import SETTINGS
from tests.support.mails import MailFolder
from tests.support.people import Person, expect, register


@pytest.fixture
async def confirmed(http: httpx.AsyncClient, mails: MailFolder) -> Person:
    person = await register(http, "client", language="ru", full_name="Malika Saidova")
    (token,) = await mails.tokens(person.email, "confirm-email")
    assert (await person.post("/api/auth/email/confirm/", {"token": token})).is_success
    return person


async def told(system: System, person: Person, caller: str = "notifications") -> dict[str, Any] | None:
    internal: InternalClient = system.apps[caller].state.platform.internal
    return await internal.find("accounts", f"/internal/users/{person.id}/address/")


async def test_notifications_is_told_a_confirmed_address(system: System, confirmed: Person) -> None:
    assert await told(system, confirmed) == {
        "email": confirmed.email,
        "full_name": "Malika Saidova",
        "language": "ru",
    }


async def test_no_other_service_is_told(system: System, confirmed: Person) -> None:
    with pytest.raises(OwnerAway):
        await told(system, confirmed, caller="orders")


async def test_an_address_that_is_not_confirmed_is_not_told(system: System, client: Person) -> None:
    assert await told(system, client) is None


async def test_the_address_of_a_banned_user_is_not_told(system: System, confirmed: Person, admin: Person) -> None:
    ban = {"is_active": False}
    expect(await admin.http.patch(f"/api/users/{confirmed.id}/", json=ban, headers=admin.headers), 200)

    assert await told(system, confirmed) is None


async def test_the_address_of_an_erased_user_is_not_told(system: System, confirmed: Person) -> None:
    assert (await confirmed.http.delete("/api/users/me/", headers=confirmed.headers)).is_success

    assert await told(system, confirmed) is None


async def test_an_address_is_to_be_kept_nowhere(system: System, confirmed: Person) -> None:
    token = issue_service_token(SETTINGS["internal_secret"], "notifications", "accounts")
    async with httpx.AsyncClient(base_url=system.urls["accounts"], trust_env=False) as accounts:
        path = f"/internal/users/{confirmed.id}/address/"
        answer = await accounts.get(path, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
