"""Passwords that are changed or forgotten, and addresses that are confirmed by a mailed link."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from argon2 import PasswordHasher
from sqlmodel import select, update

from marketplace.system import System
from services.accounts.models import OneTimeLink, User
from shared.auth.service_tokens import issue_service_token
from shared.db.base import utcnow
from tests.integration.conftest import SETTINGS
from tests.support.mails import MailFolder
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

OLD, NEW = "correct horse", "battery staple"


def address_of(person: Person) -> str:
    email: str = person.login["user"]["email"]
    return email


async def log_in(http: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await http.post("/api/auth/login/", json={"email": email, "password": password})


async def forget(http: httpx.AsyncClient, email: str) -> httpx.Response:
    return await http.post("/api/auth/password/reset/", json={"email": email})


async def reset(http: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await http.post("/api/auth/password/reset/confirm/", json={"token": token, "new_password": password})


async def confirm(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.post("/api/auth/email/confirm/", json={"token": token})


def accounts_of(system: System) -> Any:
    return system.apps["accounts"].state


# --- changed ---------------------------------------------------------------------------------------------------------


async def test_a_wrong_current_password_changes_nothing(http: httpx.AsyncClient, client: Person) -> None:
    answer = await client.post("/api/auth/password/", {"current_password": "wrong", "new_password": NEW})

    assert expect(answer, 403)["type"] == "wrong-password"
    assert (await log_in(http, address_of(client), OLD)).status_code == 200


@pytest.mark.parametrize("password", ["a b c", "password123", "Password123", "x" * 129])
async def test_a_password_that_is_too_short_too_long_or_everybodys_is_refused(
    http: httpx.AsyncClient, client: Person, password: str
) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": password, "full_name": "A", "role": "client"}
    registered = await http.post("/api/auth/register/", json=body)
    changed = await client.post("/api/auth/password/", {"current_password": OLD, "new_password": password})

    for answer, field in ((registered, "password"), (changed, "new_password")):
        assert [error["field"] for error in expect(answer, 422)["errors"]] == [field]
        assert password not in answer.text


async def test_of_two_changes_at_once_one_is_made(http: httpx.AsyncClient, client: Person) -> None:
    bodies = [{"current_password": OLD, "new_password": f"{NEW} {n}"} for n in range(2)]

    answers = await asyncio.gather(*(client.post("/api/auth/password/", body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) in ([204, 403], [204, 409])
    logins = [await log_in(http, address_of(client), body["new_password"]) for body in bodies]
    assert sorted(login.status_code for login in logins) == [200, 401]


async def test_a_hash_of_another_cost_is_replaced_at_login(
    system: System, http: httpx.AsyncClient, client: Person
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(OLD)
    database = accounts_of(system).platform.database
    async with database.session() as session:
        await session.exec(update(User).where(User.id == UUID(client.id)).values(password_hash=weak))

    assert (await log_in(http, address_of(client), OLD)).status_code == 200

    async with database.session() as session:
        (kept,) = await session.exec(select(User.password_hash).where(User.id == UUID(client.id)))
    assert "m=19456,t=2,p=1" in kept
    assert (await log_in(http, address_of(client), OLD)).status_code == 200


# --- forgotten -------------------------------------------------------------------------------------------------------


async def test_a_mailed_link_sets_a_new_password_once_and_ends_every_login(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    assert (await forget(http, address_of(client).upper())).status_code == 202
    (token,) = await mails.tokens(address_of(client), "reset-password")

    assert (await reset(http, token)).status_code == 204

    assert (await log_in(http, address_of(client), OLD)).status_code == 401
    back = Person(http, expect(await log_in(http, address_of(client), NEW), 200))
    assert (await back.get("/api/orders/")).status_code == 200
    assert (await http.post("/api/auth/refresh/", json={"refresh": client.login["refresh"]})).status_code == 401

    async def out() -> bool:
        return (await client.get("/api/orders/")).status_code == 401

    await eventually(out)
    assert expect(await reset(http, token, "another one"), 401)["type"] == "invalid-link"


async def test_who_resets_by_mail_has_shown_that_the_address_is_theirs(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    await forget(http, address_of(client))
    (token,) = await mails.tokens(address_of(client), "reset-password")
    await reset(http, token)

    assert expect(await log_in(http, address_of(client), NEW), 200)["user"]["email_confirmed"]


async def test_no_answer_tells_whether_an_address_is_known(http: httpx.AsyncClient, client: Person) -> None:
    known, unknown = [await forget(http, email) for email in (address_of(client), f"{uuid4()}@example.com")]

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    same = {"date", "x-request-id"}
    assert {k: v for k, v in known.headers.items() if k not in same} == {
        k: v for k, v in unknown.headers.items() if k not in same
    }


async def test_one_link_used_makes_the_others_useless(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    await forget(http, address_of(client))
    await forget(http, address_of(client))
    first, second = await mails.tokens(address_of(client), "reset-password", 2)

    assert (await reset(http, second)).status_code == 204
    assert (await reset(http, first)).status_code == 401


async def test_of_two_uses_of_a_link_at_once_one_counts(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    await forget(http, address_of(client))
    (token,) = await mails.tokens(address_of(client), "reset-password")

    answers = await asyncio.gather(*(reset(http, token, f"{NEW} {n}") for n in range(4)))

    assert sorted(answer.status_code for answer in answers) == [204, 401, 401, 401]


async def test_a_link_ends_in_its_time(
    system: System, http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    await forget(http, address_of(client))
    (token,) = await mails.tokens(address_of(client), "reset-password")
    link = OneTimeLink.id == UUID(token.partition(".")[0])
    async with accounts_of(system).platform.database.session() as session:
        (ends_at,) = await session.exec(select(OneTimeLink.ends_at).where(link))
        assert timedelta(minutes=29) < ends_at - utcnow() <= timedelta(minutes=30)
        await session.exec(update(OneTimeLink).where(link).values(ends_at=utcnow()))

    assert (await reset(http, token)).status_code == 401
    assert (await log_in(http, address_of(client), OLD)).status_code == 200


async def test_a_token_that_was_not_mailed_is_no_good(http: httpx.AsyncClient, client: Person) -> None:
    for token in ("nonsense", f"{uuid4()}.{'A' * 43}", client.login["access"][:200]):
        assert expect(await reset(http, token), 401)["type"] == "invalid-link"
        assert expect(await confirm(http, token), 401)["type"] == "invalid-link"


async def test_a_link_is_good_for_what_it_was_made_for(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    (to_confirm,) = await mails.tokens(address_of(client), "confirm-email")
    await forget(http, address_of(client))
    (to_reset,) = await mails.tokens(address_of(client), "reset-password")

    assert (await reset(http, to_confirm)).status_code == 401
    assert (await confirm(http, to_reset)).status_code == 401


async def test_a_banned_user_gets_no_link(
    http: httpx.AsyncClient, client: Person, admin: Person, mails: MailFolder
) -> None:
    await forget(http, address_of(client))
    (token,) = await mails.tokens(address_of(client), "reset-password")
    ban = {"json": {"is_active": False}, "headers": admin.headers}
    expect(await http.patch(f"/api/users/{client.id}/", **ban), 200)

    assert (await reset(http, token)).status_code == 401
    assert (await forget(http, address_of(client))).status_code == 202


# --- confirmed -------------------------------------------------------------------------------------------------------


async def test_an_address_is_confirmed_by_the_link_that_registering_mails(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    assert not client.login["user"]["email_confirmed"]
    (token,) = await mails.tokens(address_of(client), "confirm-email")

    assert (await confirm(http, token)).status_code == 204

    assert expect(await client.get("/api/users/me/"), 200)["email_confirmed"]
    assert (await confirm(http, token)).status_code == 401


async def test_the_link_can_be_asked_for_once_more_until_it_was_used(
    http: httpx.AsyncClient, client: Person, mails: MailFolder
) -> None:
    await mails.tokens(address_of(client), "confirm-email")
    assert (await client.post("/api/auth/email/resend/")).status_code == 202
    _, second = await mails.tokens(address_of(client), "confirm-email", 2)

    assert (await confirm(http, second)).status_code == 204
    assert expect(await client.post("/api/auth/email/resend/"), 409)["type"] == "email-confirmed"


async def test_a_mail_is_in_the_language_of_its_reader(http: httpx.AsyncClient, mails: MailFolder) -> None:
    subjects = set()
    for language in ("uz", "ru", "en"):
        person = await register(http, "client", language=language)
        await mails.tokens(address_of(person), "confirm-email")
        (mail,) = mails.to(address_of(person))
        subjects.add(mail["Subject"])

    assert len(subjects) == 3


async def test_only_notifications_is_told_a_link(system: System, client: Person) -> None:
    async with accounts_of(system).platform.database.session() as session:
        (link_id,) = await session.exec(select(OneTimeLink.id).where(OneTimeLink.user_id == UUID(client.id)))
    async with httpx.AsyncClient(base_url=system.urls["accounts"], trust_env=False) as accounts:
        statuses = {}
        for caller in ("notifications", "orders"):
            token = issue_service_token(SETTINGS["internal_secret"], caller, "accounts")
            path = f"/internal/one-time-links/{link_id}/"
            statuses[caller] = (await accounts.get(path, headers={"Authorization": f"Bearer {token}"})).status_code

    assert statuses == {"notifications": 200, "orders": 403}


async def test_a_login_does_not_outrun_a_new_password(
    system: System, http: httpx.AsyncClient, client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password was found right, and is changed before the login is written."""
    passwords = accounts_of(system).identity.passwords
    verify = passwords.verify

    async def slow(password: str, stored: str | None) -> bool:
        right: bool = await verify(password, stored)
        monkeypatch.setattr(passwords, "verify", verify)
        changed = await client.post("/api/auth/password/", {"current_password": OLD, "new_password": NEW})
        assert changed.status_code == 204
        return right

    monkeypatch.setattr(passwords, "verify", slow)

    assert (await log_in(http, address_of(client), OLD)).status_code == 401
