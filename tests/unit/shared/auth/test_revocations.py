"""Which tokens an instance refuses, by what it has heard or read."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from shared.auth import revocations as module
from shared.auth.revocations import ANY_VERSION, Revocation, Revocations
from shared.auth.tokens import Claims
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging.local import LocalBus, LocalHub
from tests.unit.factories import SESSION_ID, USER_ID, FakeDatabase, settings, user

SOON = timedelta(minutes=5)


class Session:
    """The table of revocations."""

    def __init__(self) -> None:
        self.rows: list[Revocation] = []
        self.asked: list[str] = []

    async def exec(self, statement: Any) -> Any:
        self.asked.append(str(statement))
        return SimpleNamespace(all=lambda: list(self.rows))


@pytest.fixture
def table() -> Session:
    return Session()


@pytest.fixture
def known(table: Session) -> Revocations:
    database: Any = FakeDatabase(table)
    return Revocations(database, LocalBus(LocalHub(), "orders"), settings())


def row(subject: UUID, min_ver: int, lives: timedelta = SOON) -> Revocation:
    return Revocation(subject=subject, user_id=USER_ID, min_ver=min_ver, expires_at=utcnow() + lives, noted_at=utcnow())


def told(known: Revocations, *rows: Revocation) -> Any:
    return known.tell([row.model_dump() for row in rows])


def claims(**changed: Any) -> Claims:
    return user("client", **changed).claims


async def test_without_a_revocation_every_token_holds(known: Revocations) -> None:
    assert not known.refuses(claims())


async def test_a_session_that_ended_is_refused_and_no_other(known: Revocations) -> None:
    await told(known, row(SESSION_ID, ANY_VERSION))

    assert known.refuses(claims())
    assert not known.refuses(claims(session_id=new_id()))


@pytest.mark.parametrize(("version", "refused"), [(6, True), (7, False), (8, False)])
async def test_of_a_user_those_tokens_are_refused_that_are_older(
    known: Revocations, version: int, refused: bool
) -> None:
    await told(known, row(USER_ID, 7))

    assert known.refuses(claims(user_version=version)) is refused
    assert not known.refuses(Claims(new_id(), "client", new_id(), version, 0))


async def test_an_older_word_takes_nothing_back(known: Revocations) -> None:
    await told(known, row(USER_ID, 7))
    await told(known, row(USER_ID, 5))

    assert known.refuses(claims(user_version=6))


async def test_what_is_in_the_table_is_learned_by_reading_it(known: Revocations, table: Session) -> None:
    assert not known.known
    table.rows = [row(SESSION_ID, ANY_VERSION)]
    await known.read()

    assert known.known
    assert known.refuses(claims())


async def test_the_first_reading_is_of_all_and_the_next_of_what_is_new(known: Revocations, table: Session) -> None:
    await known.read()
    await known.read()

    first, second = (asked for asked in table.asked if asked.startswith("SELECT"))
    assert "noted_at >" not in first
    assert "noted_at >" in second


async def test_what_has_ended_is_forgotten(known: Revocations, table: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    await told(known, row(SESSION_ID, ANY_VERSION))
    now = utcnow() + 2 * SOON
    monkeypatch.setattr(module, "utcnow", lambda: now)
    await known.read()

    assert not known.refuses(claims())
    assert any(asked.startswith("DELETE") for asked in table.asked)


async def test_who_asked_is_told_whose_tokens_changed_and_only_of_news(known: Revocations) -> None:
    told_of: list[UUID] = []
    known.on_change(told_of.append)
    news = row(SESSION_ID, ANY_VERSION)
    await told(known, news)
    await told(known, news)

    assert told_of == [USER_ID]
