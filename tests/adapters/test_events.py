"""Events arrive, once, under both buses; and what fails is tried again, later and later, then kept."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from services.orders.events import note_user
from services.orders.models import Person as PersonCopy
from shared.contracts import Envelope
from shared.contracts.accounts import UserRegistered, UserState
from shared.db import Session, after_commit
from shared.messaging.bus import OutgoingMessage, Received
from shared.messaging.tables import InboxRow, OutboxRow
from shared.platform import Platform
from tests.adapters.carriers import message
from tests.adapters.dying import EXIT_CODE, note
from tests.adapters.platforms import Platforms, running_platforms, tell_of
from tests.support.events import someone
from tests.support.rabbitmq import OwnRabbit
from tests.support.waiting import eventually


async def inbox_row(platform: Platform, user_id: UUID) -> InboxRow | None:
    """The inbox's row of the event that tells of the user, while its envelope is kept there."""
    async with platform.database.session() as session:
        rows = await session.exec(select(InboxRow).where(col(InboxRow.envelope).contains(str(user_id))))
        return rows.first()


async def noted(catalog: Platform, user: UserState) -> list[str]:
    async with catalog.database.session() as session:
        rows = await session.exec(text("SELECT full_name FROM workers WHERE id = :id").bindparams(id=user.id))
        return [name for (name,) in rows]


async def test_a_repeated_message_takes_effect_once(platforms: Platforms) -> None:
    effects: Counter[UUID] = Counter()

    async def count(session: Session, event: UserRegistered) -> None:
        effects[event.user.id] += 1

    user, last = someone(), someone()
    async with platforms(catalog=count) as running:
        accounts = running["accounts"]
        await tell_of(accounts, user)
        await eventually(lambda: _true(effects[user.id]))
        async with accounts.database.session() as session:
            row = (await session.exec(select(OutboxRow).where(col(OutboxRow.envelope).contains(str(user.id))))).one()
        again = OutgoingMessage(str(row.event_id), row.name, row.envelope.encode())
        await accounts.bus.publish([again] * 5)
        await tell_of(accounts, last)
        await eventually(lambda: _true(effects[last.id]))

    assert effects[user.id] == 1


async def test_a_failing_handler_is_retried_with_growing_delay_and_then_dead(platforms: Platforms) -> None:
    tries: list[datetime] = []

    async def fail(session: Session, event: UserRegistered) -> None:
        # By the clock that delays go by: the beginning of its transaction.
        tries.append((await session.exec(select(func.now()))).one())
        raise RuntimeError("never will it work")

    user = someone()
    async with platforms(catalog=fail) as running:
        await tell_of(running["accounts"], user)

        async def dead() -> InboxRow | None:
            row = await inbox_row(running["catalog"], user.id)
            return row if row and row.state == "dead" else None

        row = await eventually(dead)

    assert row.attempts == 4
    assert "never will it work" in (row.error or "")
    assert Envelope.model_validate_json(row.envelope or "").data["user"]["id"] == str(user.id)
    first, second, third = ((later - earlier).total_seconds() for earlier, later in pairwise(tries))
    assert first >= 0.02
    assert second >= 0.04
    assert third >= 0.08


async def test_a_handler_that_fails_once_leaves_nothing_of_the_first_try(platforms: Platforms) -> None:
    tries = 0

    async def fail_once(session: Session, event: UserRegistered) -> None:
        nonlocal tries
        tries += 1
        await note(session, user, f"try {tries}")
        if tries == 1:
            raise RuntimeError("once")

    user = someone()
    async with platforms(catalog=fail_once) as running:
        await tell_of(running["accounts"], user)
        names = await eventually(lambda: noted(running["catalog"], user))

    assert names == ["try 2"]


async def test_what_a_process_died_of_is_handled_by_the_next_and_nothing_of_the_first_is_left(
    broker: OwnRabbit | None, databases: dict[str, str]
) -> None:
    async def handle(session: Session, event: UserRegistered) -> None:
        if event.user.id == user.id:
            await note(session, user, "by the next")

    user, at = someone(), [broker.url] if broker else []
    arguments = [json.dumps(databases), user.model_dump_json(), *at]
    died = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.adapters.dying", *arguments, cwd=Path(__file__).parents[2]
    )
    assert await asyncio.wait_for(died.wait(), 60) == EXIT_CODE

    async with running_platforms(databases, *at or [None], catalog=handle) as running:
        names = await eventually(lambda: noted(running["catalog"], user))

    assert names == ["by the next"]


async def test_any_order_of_arrival_ends_in_the_same_state(platforms: Platforms) -> None:
    """By the handler of orders, which keeps a copy of each user; every event comes twice."""
    chance = random.Random(20261127)
    newest = [someone() for _ in range(6)]
    versions = [
        UserRegistered(user=user.model_copy(update={"version": version, "is_active": version == 5}))
        for user in newest
        for version in range(1, 6)
    ]
    told = [message(event) for event in versions] * 2
    chance.shuffle(told)
    async with platforms(orders=note_user) as running:
        bus, orders = running["accounts"].bus, running["orders"]
        for start in range(0, len(told), 20):
            await asyncio.gather(*(bus.publish([each]) for each in told[start : start + 20]))

        async def handled() -> bool:
            async with orders.database.session() as session:
                ids = [each.event_id for each in told]
                done = select(func.count()).where(col(InboxRow.event_id).in_(ids), InboxRow.state == "done")
                return (await session.exec(done)).one() == len(versions)

        await eventually(handled, within=60)
        async with orders.database.session() as session:
            rows = select(PersonCopy).where(col(PersonCopy.id).in_([user.id for user in newest]))
            kept = {(row.id, row.version, row.is_active) for row in (await session.exec(rows)).all()}

    assert kept == {(user.id, 5, True) for user in newest}


async def test_both_buses_bring_what_a_batch_handler_takes(platforms: Platforms) -> None:
    users, handled = [someone() for _ in range(50)], list[UUID]()

    async def handle(session: Session, received: Sequence[Received]) -> None:
        after_commit(session, lambda: handled.extend(event.user.id for event, _ in received))

    async with platforms(catalog_batch=handle) as running:
        await tell_of(running["accounts"], *users)
        await eventually(lambda: _true(len(handled) >= len(users)), within=60)

    assert sorted(handled) == sorted(user.id for user in users)


async def test_one_poison_event_does_not_hold_up_the_next(platforms: Platforms) -> None:
    heard = asyncio.Event()
    poison, good = someone(), someone()

    async def handle(session: Session, event: UserRegistered) -> None:
        if event.user.id == poison.id:
            raise RuntimeError("poison")
        if event.user.id == good.id:
            heard.set()

    async with platforms(catalog=handle) as running:
        await tell_of(running["accounts"], poison)
        await tell_of(running["accounts"], good)
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
