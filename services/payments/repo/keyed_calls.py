"""What calls with an idempotency key began."""

from uuid import UUID

from sqlalchemy import delete, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.models import KeyedCall
from shared.db import Session
from shared.db.base import utcnow
from shared.db.saved_answers import LIFETIME, Call

BATCH = 1000
_CALL = tuple_(col(KeyedCall.user_id), col(KeyedCall.path), col(KeyedCall.key))


async def find(session: Session, call: Call) -> KeyedCall | None:
    living = col(KeyedCall.begun_at) > utcnow() - LIFETIME
    return (await session.exec(select(KeyedCall).where(call == _CALL, living))).first()


async def begin(session: Session, call: Call, asked: str, thing_id: UUID) -> bool:
    """Keep the key with what its call began; False where another call has begun under it meanwhile."""
    values = {"asked": asked, "thing_id": thing_id, "begun_at": utcnow()}
    begun = insert(KeyedCall).values(**call._asdict(), **values)
    ended = col(KeyedCall.begun_at) <= utcnow() - LIFETIME
    kept = begun.on_conflict_do_update(index_elements=["user_id", "path", "key"], set_=values, where=ended)
    return (await session.exec(kept.returning(col(KeyedCall.key)))).first() is not None


async def forget(session: Session, user_id: UUID) -> None:
    await session.exec(delete(KeyedCall).where(col(KeyedCall.user_id) == user_id))


async def sweep(session: Session) -> int:
    """Delete keys whose time is over, a batch of them; returns how many went."""
    ended = select(KeyedCall.user_id, KeyedCall.path, KeyedCall.key)
    ended = ended.where(col(KeyedCall.begun_at) <= utcnow() - LIFETIME).limit(BATCH)
    return (await session.exec(delete(KeyedCall).where(_CALL.in_(ended)))).rowcount
