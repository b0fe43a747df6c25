"""What the broker lost is told again, and who had it already does nothing."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from sqlmodel import col, select

from marketplace.registry import service_settings
from shared.contracts.accounts import UserRegistered
from shared.db import Database, Session
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging.housekeeping import KEEP_DONE, KEEP_PUBLISHED, sweep
from shared.messaging.republish import renew_inbox, republish
from shared.messaging.tables import InboxRow, OutboxRow
from shared.platform import Platform
from tests.adapters.platforms import Platforms, tell_of
from tests.integration.conftest import SETTINGS
from tests.support.events import someone
from tests.support.waiting import eventually


async def told(accounts: Platform, user_id: UUID) -> OutboxRow | None:
    """The event that tells of the user, once it is published."""
    async with accounts.database.session() as session:
        published = select(OutboxRow).where(
            col(OutboxRow.envelope).contains(str(user_id)), col(OutboxRow.published_at).is_not(None)
        )
        return (await session.exec(published)).first()


async def forget(database: Database, event_id: UUID) -> None:
    """As if the message had never arrived."""
    async with database.session() as session:
        row = (await session.exec(select(InboxRow).where(InboxRow.event_id == event_id))).one()
        await session.delete(row)


async def test_what_a_listener_never_got_arrives_and_nobody_else_is_told_twice(platforms: Platforms) -> None:
    heard: Counter[tuple[str, UUID]] = Counter()

    def hear(service: str):
        async def handle(session: Session, event: UserRegistered) -> None:
            heard[service, event.user.id] += 1

        return handle

    user = someone()
    async with platforms(catalog=hear("catalog"), orders=hear("orders")) as running:
        accounts = running["accounts"]
        await tell_of(accounts, user)
        row = await eventually(lambda: told(accounts, user.id))
        await eventually(lambda: _true(heard["catalog", user.id] and heard["orders", user.id]))
        before = await republish(accounts.database, timedelta(0))
        await forget(running["catalog"].database, row.event_id)

        marked = await republish(accounts.database, timedelta(hours=1))
        accounts.relay.look()
        await eventually(lambda: _true(heard["catalog", user.id] == 2))
        last = someone()
        await tell_of(accounts, last)
        await eventually(lambda: _true(heard["orders", last.id]))

    assert before == 0
    assert marked >= 1
    assert heard["orders", user.id] == 1


async def test_rows_of_an_old_backup_are_told_again_and_remembered(databases: dict[str, str]) -> None:
    """They count days by the clock of the backup: the first sweep would find all of them too old."""
    settings = service_settings("accounts", **SETTINGS, database_url=databases["accounts"])
    database, event_id = Database(settings), new_id()
    long_ago = utcnow() - KEEP_DONE - KEEP_PUBLISHED
    try:
        async with database.session() as session:
            row = OutboxRow(event_id=event_id, name="x", envelope="{}", created_at=long_ago, published_at=long_ago)
            session.add(row)
            session.add(InboxRow(event_id=event_id, subscription="x", state="done", received_at=long_ago))

        await renew_inbox(database)
        await republish(database)
        await sweep(database)

        async with database.session() as session:
            waits = (await session.exec(select(OutboxRow).where(OutboxRow.event_id == event_id))).one()
            assert waits.published_at is None
            await session.delete(waits)
            assert (await session.exec(select(InboxRow).where(InboxRow.event_id == event_id))).one()
    finally:
        await database.close()


async def _true(value: object) -> object:
    return value
