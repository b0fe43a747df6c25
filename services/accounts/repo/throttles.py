"""Every SQL statement of the limits. What counts is one conditional statement: of two at once neither is missed."""

from datetime import timedelta
from itertools import count, takewhile
from typing import Any

from sqlalchemy import ColumnElement, DateTime, case, delete, func, literal, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.accounts.domain import FAILURES_KEPT, LONGEST_LOGIN_DELAY, login_delay
from services.accounts.models import LoginFailures, Throttle
from shared.db import Session

NOW: ColumnElement[Any] = func.clock_timestamp(type_=DateTime(timezone=True))
"""The database's clock, because those of the instances may differ; and not `now()`, which stands still while a
transaction waits for a row that others move on."""


async def take(session: Session, key: str, interval: timedelta, tolerance: timedelta) -> timedelta | None:
    """Move the bucket's due time on by `interval`, unless it is more than `tolerance` away already.

    Returns None, or how long it takes until it isn't.
    """
    due_at: Any = col(Throttle.due_at)
    later = func.greatest(due_at, NOW, type_=DateTime(timezone=True)) + interval
    first = insert(Throttle).values(key=key, due_at=NOW + interval)
    taken = first.on_conflict_do_update(
        index_elements=["key"], set_={"due_at": later}, where=due_at <= NOW + tolerance
    ).returning(literal(1))
    if (await session.exec(taken)).first():
        return None
    # The row that did not meet the condition is locked all the same: this is what it was judged by.
    wait = select(due_at - tolerance - NOW).where(Throttle.key == key)
    remaining: timedelta = (await session.exec(wait)).one()
    return remaining


async def give_back(session: Session, key: str, interval: timedelta) -> None:
    sooner = col(Throttle.due_at) - interval
    await session.exec(update(Throttle).where(col(Throttle.key) == key).values(due_at=sooner))


async def count_login(session: Session, email_hash: bytes, free: int) -> timedelta | None:
    """Count one login as failed, unless the delay after the last one still runs.

    Returns None, or how long it still runs.
    """
    failures: Any = col(LoginFailures.count)
    last_at: Any = col(LoginFailures.last_at)
    over_at = last_at + _delay(failures, free)
    first = insert(LoginFailures).values(email_hash=email_hash, count=1, last_at=NOW)
    counted = first.on_conflict_do_update(
        index_elements=["email_hash"],
        set_={"count": case((last_at <= NOW - FAILURES_KEPT, 1), else_=failures + 1), "last_at": NOW},
        where=(failures < free) | (over_at <= NOW),
    ).returning(literal(1))
    if (await session.exec(counted)).first():
        return None
    wait = select(over_at - NOW).where(LoginFailures.email_hash == email_hash)
    remaining: timedelta = (await session.exec(wait)).one()
    return remaining


async def forget_failures(session: Session, email_hash: bytes) -> None:
    await session.exec(delete(LoginFailures).where(col(LoginFailures.email_hash) == email_hash))


async def forget(session: Session, key: str) -> None:
    await session.exec(delete(Throttle).where(col(Throttle.key) == key))


async def delete_idle_throttles(session: Session, most: int) -> int:
    """Buckets that have run empty say what an absent one says. Returns how many went."""
    idle = select(Throttle.key).where(col(Throttle.due_at) <= NOW).limit(most).with_for_update(skip_locked=True)
    return (await session.exec(delete(Throttle).where(col(Throttle.key).in_(idle)))).rowcount


async def delete_old_failures(session: Session, most: int) -> int:
    """Returns how many went."""
    old = (
        select(LoginFailures.email_hash)
        .where(col(LoginFailures.last_at) <= NOW - FAILURES_KEPT)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(delete(LoginFailures).where(col(LoginFailures.email_hash).in_(old)))).rowcount


def _delay(failures: Any, free: int) -> ColumnElement[timedelta]:
    """`login_delay` as an expression, for `free` failures and more."""
    growing = takewhile(lambda n: login_delay(n, free) < LONGEST_LOGIN_DELAY, count(free))
    return case({n: login_delay(n, free) for n in growing}, value=failures, else_=LONGEST_LOGIN_DELAY)
