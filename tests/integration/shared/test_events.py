"""Events arrive, once, under both buses; and what fails is tried again, later and later, then kept."""

import asyncio
import time
from collections import Counter
from itertools import pairwise
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from shared.contracts import Envelope
from shared.contracts.accounts import UserRegistered
from shared.db import Session
from shared.messaging.bus import OutgoingMessage
from shared.messaging.tables import InboxRow, OutboxRow
from shared.platform import Platform
from tests.integration.shared.conftest import Platforms, someone, tell_of
from tests.support.waiting import eventually


async def inbox_row(platform: Platform, user_id: UUID) -> InboxRow | None:
    """The inbox's row of the event that tells of the user, while its envelope is kept there."""
    async with platform.database.session() as session:
        rows = await session.exec(select(InboxRow).where(col(InboxRow.envelope).contains(str(user_id))))
        return rows.first()


async def test_an_event_reaches_every_listener(platforms: Platforms) -> None:
    heard: list[str] = []

    def hear(service: str):
        async def handle(session: Session, event: UserRegistered) -> None:
            if event.user.id == user.id:
                heard.append(service)

        return handle

    user = someone()
    listeners = ("catalog", "orders", "notifications")
    async with platforms(**{service: hear(service) for service in listeners}) as running:
        await tell_of(user, running["accounts"])

        await eventually(lambda: _true(len(heard) >= 3))

    assert sorted(heard) == sorted(listeners)


async def test_a_repeated_message_takes_effect_once(platforms: Platforms) -> None:
    effects: Counter[UUID] = Counter()

    async def count(session: Session, event: UserRegistered) -> None:
        effects[event.user.id] += 1

    user, last = someone(), someone()
    async with platforms(catalog=count) as running:
        accounts = running["accounts"]
        await tell_of(user, accounts)
        await eventually(lambda: _true(effects[user.id]))
        async with accounts.database.session() as session:
            row = (await session.exec(select(OutboxRow).where(col(OutboxRow.envelope).contains(str(user.id))))).one()
        again = OutgoingMessage(str(row.event_id), row.name, row.envelope.encode())
        await accounts.bus.publish([again] * 5)
        await tell_of(last, accounts)
        await eventually(lambda: _true(effects[last.id]))

    assert effects[user.id] == 1


async def test_a_failing_handler_is_retried_with_growing_delay_and_then_dead(platforms: Platforms) -> None:
    tries: list[float] = []

    async def fail(session: Session, event: UserRegistered) -> None:
        tries.append(time.monotonic())
        await session.exec(text("SELECT 1"))  # it got as far as the database
        raise RuntimeError("never will it work")

    user = someone()
    async with platforms(catalog=fail) as running:
        await tell_of(user, running["accounts"])

        async def dead() -> InboxRow | None:
            row = await inbox_row(running["catalog"], user.id)
            return row if row and row.state == "dead" else None

        row = await eventually(dead)

    assert row.attempts == 4
    assert "never will it work" in (row.error or "")
    assert Envelope.model_validate_json(row.envelope or "").data["user"]["id"] == str(user.id)
    first, second, third = (later - earlier for earlier, later in pairwise(tries))
    assert first >= 0.02
    assert second >= 0.04
    assert third >= 0.08


async def test_a_handler_that_fails_once_leaves_nothing_of_the_first_try(platforms: Platforms) -> None:
    tries = 0

    async def fail_once(session: Session, event: UserRegistered) -> None:
        nonlocal tries
        tries += 1
        await tell(session, f"try {tries}")
        if tries == 1:
            raise RuntimeError("once")

    async def tell(session: Session, name: str) -> None:
        values = {"id": user.id, "name": name}
        insert = (
            "INSERT INTO workers (id, full_name, is_active, is_confirmed, version) VALUES (:id, :name, true, false, 1)"
        )
        await session.exec(text(insert).bindparams(**values))

    user = someone()
    async with platforms(catalog=fail_once) as running:
        await tell_of(user, running["accounts"])

        async def written() -> list[str]:
            async with running["catalog"].database.session() as session:
                rows = await session.exec(text("SELECT full_name FROM workers WHERE id = :id").bindparams(id=user.id))
                return [name for (name,) in rows]

        names = await eventually(written)

    assert names == ["try 2"]


async def test_one_poison_event_does_not_hold_up_the_next(platforms: Platforms) -> None:
    heard = asyncio.Event()
    poison, good = someone(), someone()

    async def handle(session: Session, event: UserRegistered) -> None:
        if event.user.id == poison.id:
            raise RuntimeError("poison")
        if event.user.id == good.id:
            heard.set()

    async with platforms(catalog=handle) as running:
        await tell_of(poison, running["accounts"])
        await tell_of(good, running["accounts"])
        await asyncio.wait_for(heard.wait(), 20)


async def test_what_can_never_work_is_dead_at_once(platforms: Platforms) -> None:
    async with platforms() as running:
        envelope = Envelope(
            id=someone().id,
            name="user.registered",
            version=1,
            occurred_at="2026-01-01T00:00:00Z",
            producer="accounts",
            correlation_id="c",
            data={"user": "no user at all"},
        )
        message = OutgoingMessage(str(envelope.id), envelope.name, envelope.model_dump_json().encode())
        await running["accounts"].bus.publish([message])

        async def row() -> InboxRow | None:
            async with running["catalog"].database.session() as session:
                found = await session.get(InboxRow, (envelope.id, "user.registered"))
                return found if found and found.state == "dead" else None

        found = await eventually(row)

    assert found.attempts == 1


async def _true(value: object) -> bool:
    return bool(value)
