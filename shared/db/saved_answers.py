"""Answers of calls that carried an idempotency key, each written in the transaction of what the call did."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Index, delete, func, literal, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, col, select

from shared.db.base import PlatformBase, TimeField
from shared.db.session import Session

LIFETIME = timedelta(hours=24)


class SavedAnswer(PlatformBase, table=True):
    """The first answer to a key. Refusals are not saved: they changed nothing, and may be tried again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created", "created_at"),)

    user_id: UUID = Field(primary_key=True)
    path: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    asked: str
    """Hash of the body that was sent."""
    status: int
    body: str
    created_at: datetime = TimeField(sa_column_kwargs={"server_default": func.now()})


class Call(NamedTuple):
    """Who sent which key where: the path as it was asked for, so that a key means one thing of a kind only."""

    user_id: UUID
    path: str
    key: str


_CALL = tuple_(col(SavedAnswer.user_id), col(SavedAnswer.path), col(SavedAnswer.key))


async def take_turn(session: Session, call: Call) -> bool:
    """Whether this transaction is the only one at work on the call, from now to its end."""
    name = func.hashtextextended("/".join(map(str, call)), 0)
    return bool((await session.exec(select(func.pg_try_advisory_xact_lock(name)))).one())


async def find(session: Session, call: Call) -> SavedAnswer | None:
    living = col(SavedAnswer.created_at) > func.now() - LIFETIME
    return (await session.exec(select(SavedAnswer).where(call == _CALL, living))).first()


async def save(session: Session, call: Call, *, asked: str, status: int, body: str) -> bool:
    """Save the answer to be committed with the effect; False where another transaction has saved one meanwhile."""
    values = {"asked": asked, "status": status, "body": body, "created_at": func.now()}
    saved = insert(SavedAnswer).values(**call._asdict(), **values)
    ended = col(SavedAnswer.created_at) <= func.now() - LIFETIME
    key = ["user_id", "path", "key"]
    kept = saved.on_conflict_do_update(index_elements=key, set_=values, where=ended).returning(literal(1))
    return (await session.exec(kept)).first() is not None


async def forget(session: Session, user_id: UUID) -> None:
    """Of someone who is erased: answers repeat what they wrote."""
    await session.exec(delete(SavedAnswer).where(col(SavedAnswer.user_id) == user_id))


async def sweep(session: Session, limit: int) -> int:
    """Delete up to `limit` answers whose time is over; returns how many went."""
    ended = select(SavedAnswer.user_id, SavedAnswer.path, SavedAnswer.key)
    ended = ended.where(col(SavedAnswer.created_at) <= func.now() - LIFETIME).limit(limit)
    return (await session.exec(delete(SavedAnswer).where(_CALL.in_(ended)))).rowcount
