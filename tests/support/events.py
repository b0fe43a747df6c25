"""What services tell of users and payments, put into their outboxes as they would; and what is left of it elsewhere."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from marketplace.system import System
from shared.contracts import Event
from shared.contracts.accounts import UserErased, UserState, UserUpdated
from shared.ids import new_id
from shared.messaging import outbox
from shared.messaging.tables import InboxRow, OutboxRow
from tests.support.people import Person
from tests.support.waiting import eventually


def someone() -> UserState:
    """Of whom nobody has heard yet."""
    return UserState(id=new_id(), role="worker", full_name="Somebody", is_active=True, language="uz", version=1)


def updated(person: Person, version: int, **changed: Any) -> UserUpdated:
    """The person as they registered, but for what has changed."""
    return UserUpdated(user=UserState.model_validate({**person.login["user"], "version": version, **changed}))


def erased(person: Person, version: int) -> UserErased:
    return UserErased(user_id=UUID(person.id), version=version)


async def tell(system: System, event: Event, teller: str = "accounts") -> UUID:
    """Let a service tell of it. Returns the event's id."""
    async with system.apps[teller].state.platform.database.session() as session:
        outbox.add(session, event)
        (row,) = [row for row in session.new if isinstance(row, OutboxRow)]
        return row.event_id


async def heard(system: System, service: str, event_id: UUID) -> None:
    """Return once the service has handled the event."""
    database = system.apps[service].state.platform.database

    async def state() -> str | None:
        async with database.session() as session:
            ended = select(InboxRow.state).where(InboxRow.event_id == event_id, InboxRow.state != "retry")
            return (await session.exec(ended)).first()

    assert await eventually(state) == "done"


async def told(system: System, event: Event, *services: str, teller: str = "accounts") -> None:
    """Let a service tell of it, and return once these services have handled it."""
    event_id = await tell(system, event, teller)
    for service in services:
        await heard(system, service, event_id)


async def asked(system: System, service: str, path: str) -> Any:
    """What the service answers another one under `/internal/`; None for a 404."""
    return await system.apps["accounts"].state.platform.internal.find(service, path)


async def tables_with(system: System, service: str, words: str) -> set[str]:
    """Tables of the service's database in which some column of some row holds the words.

    Not the outbox: what was published stays there for three days, and is then swept.
    """
    async with system.apps[service].state.platform.database.session() as session:
        names = await session.exec(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        found = set()
        for (name,) in names.all():
            holding = text(f"SELECT 1 FROM {name} WHERE {name}::text LIKE :words LIMIT 1").bindparams(
                words=f"%{words}%"
            )
            if (await session.exec(holding)).first():
                found.add(name)
    return found - {"outbox"}


async def events_of(system: System, service: str, name: str, words: str) -> list[str]:
    """The events of that name that the service has told and that hold the words, oldest first."""
    async with system.apps[service].state.platform.database.session() as session:
        rows = select(OutboxRow.envelope).where(OutboxRow.name == name, col(OutboxRow.envelope).contains(words))
        return list((await session.exec(rows.order_by(col(OutboxRow.seq)))).all())


async def someone_waits_for_a_lock(system: System, service: str) -> bool:
    async with system.apps[service].state.platform.database.session() as session:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return (await session.exec(text(waiting))).first() is not None


@contextmanager
def settings_changed(system: System, service: str, **changed: Any) -> Iterator[None]:
    """Let the service go by other settings for a while: those that it looks up at each request."""
    state = system.apps[service].state
    before = state.settings
    state.settings = before.model_copy(update=changed)
    try:
        yield
    finally:
        state.settings = before


async def states_told(system: System, service_id: str) -> list[dict[str, Any]]:
    """What catalog has told of a service, oldest first."""
    told = await events_of(system, "catalog", "service.updated", service_id)
    return [json.loads(envelope)["data"]["service"] for envelope in told]
