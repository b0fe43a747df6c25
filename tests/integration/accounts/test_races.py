"""What is done twenty times at the same moment is done once."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, select

from marketplace.system import System
from services.accounts.domain import normalise_email
from services.accounts.models import RefreshFamily, RefreshToken, User
from shared.messaging.tables import OutboxRow
from tests.support.people import PASSWORD, Person, expect
from tests.support.waiting import eventually

AT_ONCE = 20


async def rows(system: System, statement: Any) -> list[Any]:
    async with system.apps["accounts"].state.platform.database.session() as session:
        return list((await session.exec(statement)).all())


def spellings(name: str) -> list[str]:
    """Of one address: five ways to write it that reach the same mailbox."""
    wide = name.translate({ord(letter): ord(letter) + 0xFEE0 for letter in set(name) if letter.isascii()})
    return [
        f"{name}@example.com",
        f"{name.upper()}@example.com",
        f"{wide}@example.com",
        f"{wide.upper()}@EXAMPLE.com",
        f"{name}@ｅｘａｍｐｌｅ.com",
    ]


async def test_of_many_registrations_of_one_address_at_once_one_wins_however_it_is_spelled(
    system: System, http: httpx.AsyncClient
) -> None:
    name = f"u{uuid4().hex}"
    emails = spellings(name) * (AT_ONCE // 5)
    key = normalise_email(emails[0])
    assert {normalise_email(email) for email in emails} == {key}

    bodies = [{"email": email, "password": PASSWORD, "full_name": name, "role": "client"} for email in emails]
    answers = await asyncio.gather(*(http.post("/api/auth/register/", json=body) for body in bodies))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"email-taken"}
    (winner,) = [answer.json()["user"]["id"] for answer in answers if answer.status_code == 201]
    assert [str(user_id) for user_id in await rows(system, select(User.id).where(User.email_key == key))] == [winner]
    told = await rows(system, select(OutboxRow).where(col(OutboxRow.envelope).contains(name)))
    assert [row.name for row in told] == ["user.registered"]
    assert winner in told[0].envelope


async def refresh(http: httpx.AsyncClient, token: str, agent: str) -> httpx.Response:
    return await http.post("/api/auth/refresh/", json={"refresh": token}, headers={"User-Agent": agent})


@pytest.fixture
async def families(system: System, client: Person) -> Any:
    """Gives the client's families, each with its tokens."""

    async def look() -> list[tuple[RefreshFamily, list[RefreshToken]]]:
        mine = await rows(system, select(RefreshFamily).where(RefreshFamily.user_id == UUID(client.id)))
        tokens = [await rows(system, select(RefreshToken).where(RefreshToken.family_id == each.id)) for each in mine]
        return list(zip(mine, tokens, strict=True))

    return look


async def test_many_refreshes_at_once_from_one_device_leave_one_living_token(
    http: httpx.AsyncClient, client: Person, families: Any
) -> None:
    answers = await asyncio.gather(*(refresh(http, client.login["refresh"], "phone") for _ in range(AT_ONCE)))

    (successor,) = {expect(answer, 200)["refresh"] for answer in answers}
    ((family, tokens),) = await families()
    assert family.ended_at is None
    assert sorted(token.spent_at is None for token in tokens) == [False, True]
    assert (await refresh(http, successor, "phone")).status_code == 200


async def test_many_refreshes_at_once_from_different_devices_end_the_family(
    http: httpx.AsyncClient, client: Person, families: Any
) -> None:
    answers = await asyncio.gather(*(refresh(http, client.login["refresh"], f"device {n}") for n in range(AT_ONCE)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: AT_ONCE - 1}
    ((family, _),) = await families()
    assert family.ended_at is not None
    (winner,) = [Person(http, answer.json()) for answer in answers if answer.status_code == 200]
    again = [await refresh(http, winner.login["refresh"], f"device {n}") for n in range(AT_ONCE)]
    assert {expect(answer, 401)["type"] for answer in again} == {"invalid-refresh-token"}

    async def out() -> bool:
        return {(await each.get("/api/orders/")).status_code for each in (client, winner)} == {401}

    await eventually(out)
