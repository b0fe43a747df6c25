"""What notifications keeps of a person follows accounts, and ends with an erasure."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import col, select

from marketplace.system import System
from services.notifications import events
from services.notifications.models import Mailbox, Notification, Person, QueuedMail
from shared.auth.service_tokens import issue_service_token
from shared.contracts.accounts import PasswordResetRequested, UserErased, UserRegistered, UserState, UserUpdated
from shared.contracts.orders import OrderCreated, OrderState
from shared.db import Database
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging import outbox
from shared.messaging.bus import Received
from tests.integration.conftest import SETTINGS
from tests.support.people import expect
from tests.support.waiting import eventually


@pytest.fixture
def database(system: System) -> Database:
    found: Database = system.apps["notifications"].state.platform.database
    return found


def user(user_id: UUID, version: int, language: str = "uz") -> UserState:
    return UserState(id=user_id, role="client", full_name="Malika", is_active=True, language=language, version=version)


def order_of(client_id: UUID) -> OrderCreated:
    order = OrderState(
        id=new_id(),
        number="2026-000042",
        service_id=new_id(),
        service_title="Leaking tap repair",
        client_id=client_id,
        owner_id=new_id(),
        worker_id=None,
        status="pending",
        payment_status="unpaid",
        total="150000.00",
        currency="UZS",
        version=1,
    )
    return OrderCreated(order=order)


def batch(*events: OrderCreated) -> list[Received]:
    return [Received(event, None) for event in events]


async def handle(database: Database, handler: Any, *said: Any) -> None:
    for event in said:
        async with database.session() as session:
            await handler(session, event)


async def kept(database: Database, kind: Any, user_id: UUID) -> list[Any]:
    async with database.session() as session:
        return [*(await session.exec(select(kind).where(col(kind.user_id) == user_id))).all()]


async def someone_waits_for_a_lock(database: Database) -> bool:
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with database.session() as session:
        return bool((await session.exec(text(waits))).scalar_one())


async def person(database: Database, user_id: UUID) -> Person | None:
    async with database.session() as session:
        return await session.get(Person, user_id)


async def test_an_update_changes_the_copy_and_an_older_one_does_not(database: Database) -> None:
    user_id = new_id()
    await handle(database, events.keep_person, UserRegistered(user=user(user_id, 1)))
    await handle(database, events.keep_person, UserUpdated(user=user(user_id, 3, "ru")))
    await handle(database, events.keep_person, UserUpdated(user=user(user_id, 2, "en")))

    found = await person(database, user_id)
    assert found
    assert (found.language, found.version) == ("ru", 3)


async def test_accounts_events_reach_the_copy(system: System, database: Database) -> None:
    user_id = new_id()
    async with system.apps["accounts"].state.platform.database.session() as session:
        outbox.add(session, UserUpdated(user=user(user_id, 2, "ru")))
        outbox.add(session, UserErased(user_id=user_id, version=3))

    async def erased() -> bool:
        found = await person(database, user_id)
        return found is not None and found.version == 3

    await eventually(erased)


async def test_an_erasure_leaves_a_counter_and_a_tombstone(database: Database) -> None:
    user_id, other = new_id(), new_id()
    await handle(database, events.keep_person, UserRegistered(user=user(user_id, 1)))
    await handle(database, events.tell, batch(order_of(user_id), order_of(user_id), order_of(other)))
    for someone in (user_id, other):
        async with database.session() as session:
            # Not due: it must not be the running queue that takes it away.
            times = {"next_at": utcnow() + timedelta(days=1), "created_at": utcnow()}
            session.add(QueuedMail(id=new_id(), user_id=someone, kind="reset_password", **times))

    await handle(database, events.forget_person, UserErased(user_id=user_id, version=2))

    assert await kept(database, Notification, user_id) == []
    assert await kept(database, QueuedMail, user_id) == []
    assert [mailbox.last_seq for mailbox in await kept(database, Mailbox, user_id)] == [2]
    tombstone = await person(database, user_id)
    assert tombstone
    assert (tombstone.language, tombstone.is_active, tombstone.version) == (None, False, 2)
    assert len(await kept(database, Notification, other)) == 1
    assert len(await kept(database, QueuedMail, other)) == 1


async def test_what_comes_after_an_erasure_brings_nobody_back(database: Database) -> None:
    user_id = new_id()
    await handle(database, events.forget_person, UserErased(user_id=user_id, version=5))
    await handle(database, events.keep_person, UserUpdated(user=user(user_id, 4)))
    order = order_of(user_id)
    await handle(database, events.tell, batch(order))

    tombstone = await person(database, user_id)
    assert tombstone
    assert (tombstone.language, tombstone.version) == (None, 5)
    assert await kept(database, Notification, user_id) == []
    assert len(await kept(database, Notification, order.order.owner_id)) == 1


async def test_an_erasure_waits_for_a_notification_that_is_being_written(database: Database) -> None:
    user_id = new_id()
    async with database.session() as session:
        await events.tell(session, batch(order_of(user_id)))
        erasing = asyncio.create_task(handle(database, events.forget_person, UserErased(user_id=user_id, version=2)))
        await eventually(partial(someone_waits_for_a_lock, database))
    await erasing

    assert await kept(database, Notification, user_id) == []


async def test_an_export_holds_everything_oldest_first(system: System, database: Database) -> None:
    user_id = new_id()
    await handle(database, events.tell, batch(*(order_of(user_id) for _ in range(3))))
    async with httpx.AsyncClient(base_url=system.urls["notifications"], trust_env=False) as http:
        path = f"/internal/users/{user_id}/export/"
        assert (await http.get(path)).status_code == 401
        token = issue_service_token(SETTINGS["internal_secret"], "accounts", "notifications")
        exported = expect(await http.get(path, headers={"Authorization": f"Bearer {token}"}), 200)

    assert exported.keys() == {"notifications", "switched_off"}
    assert [notification["seq"] for notification in exported["notifications"]] == [1, 2, 3]
    assert exported["notifications"][0].keys() == {"id", "seq", "type", "title", "data", "created_at", "read_at"}


async def test_a_request_for_a_link_that_accounts_does_not_know_is_forgotten(database: Database) -> None:
    request = PasswordResetRequested(user_id=new_id(), request_id=new_id())

    await handle(database, events.mail_reset_link, request)

    async def forgotten() -> bool:
        return await kept(database, QueuedMail, request.user_id) == []

    await eventually(forgotten)
