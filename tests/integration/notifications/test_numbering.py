"""How mailboxes are numbered: without gap, whoever writes at once and whatever fails."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from marketplace.system import System
from services.notifications import repo
from services.notifications.domain import MailPace
from services.notifications.models import Mailbox, Notification
from shared.db import Database
from shared.errors import Unavailable
from shared.ids import new_id
from tests.integration.notifications.hubs import Hub
from tests.integration.notifications.mailboxes import database_of

pytestmark = pytest.mark.usefixtures("system")
PACE = MailPace(timedelta(minutes=2), timedelta(minutes=15))


@pytest.fixture
def database(system: System) -> Database:
    return database_of(system)


def new(user_id: UUID) -> repo.NewNotification:
    return {
        "id": new_id(),
        "user_id": user_id,
        "later": 0,
        "type": "order_created",
        "title": "",
        "data": {},
        "traceparent": None,
        "mail": False,
    }


async def kept(database: Database, user_id: UUID) -> list[int]:
    async with database.session() as session:
        mine = select(Notification.seq).where(Notification.user_id == user_id).order_by(col(Notification.seq))
        return [*(await session.exec(mine)).all()]


async def test_batches_at_once_for_the_same_people_number_each_mailbox_without_gap(database: Database) -> None:
    people, one = [new_id() for _ in range(5)], Hub(database)

    async def tell(number: int) -> None:
        # Each in another order of people: those who lock in the order of the call would wait for each other.
        order = people[number % 5 :] + people[: number % 5]
        await one.tell(*order, times=3)

    async def fail() -> None:
        async with database.session() as session:
            await repo.put_in(session, [new(user_id) for user_id in people], PACE)
            raise RuntimeError("rolled back")

    failing = asyncio.gather(*(fail() for _ in range(10)), return_exceptions=True)
    await asyncio.gather(*(tell(number) for number in range(50)))
    assert {type(error) for error in await failing} == {RuntimeError}

    for user_id in people:
        assert await kept(database, user_id) == [*range(1, 151)]


async def test_a_killed_transaction_leaves_no_gap(database: Database) -> None:
    user_id, one = new_id(), Hub(database)

    async def be_killed() -> None:
        async with database.session() as session:
            await repo.put_in(session, [new(user_id)], PACE)
            await session.exec(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable):
        await be_killed()
    await one.tell(user_id)

    assert await kept(database, user_id) == [1]


async def test_nothing_is_put_into_a_closed_mailbox(database: Database) -> None:
    closed, open_ = new_id(), new_id()
    async with database.session() as session:
        await repo.close_mailbox(session, closed)

    await Hub(database).tell(closed, open_)

    assert (await kept(database, closed), await kept(database, open_)) == ([], [1])
    async with database.session() as session:
        assert (await session.get_one(Mailbox, closed)).last_seq == 0
