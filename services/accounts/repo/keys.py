"""Signing keys."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_
from sqlmodel import col, select

from services.accounts.models import SigningKey
from shared.db import Session


async def living(session: Session) -> Sequence[SigningKey]:
    """Those that sign, will sign, or have signed what still lives; the one that signs last comes first."""
    ends_at = col(SigningKey.ends_at)
    keys = select(SigningKey).where(or_(ends_at.is_(None), ends_at > func.now()))
    return (await session.exec(keys.order_by(col(SigningKey.signs_from).desc()))).all()


async def lock(session: Session) -> None:
    """Only one at a time makes keys; held until the transaction ends."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtext("accounts.signing_keys"))))


async def forget_ended(session: Session, now: datetime) -> None:
    await session.exec(delete(SigningKey).where(col(SigningKey.ends_at) < now))
