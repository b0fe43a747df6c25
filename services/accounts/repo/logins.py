"""Every SQL statement of accounts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import col, select

from services.accounts.models import RefreshFamily, RefreshToken, SigningKey, User
from shared.db import Session


async def user(session: Session, user_id: UUID) -> User | None:
    return await session.get(User, user_id)


async def user_by_email(session: Session, email_key: str) -> User | None:
    return (await session.exec(select(User).where(User.email_key == email_key))).first()


async def refresh_token_for_update(
    session: Session, token_hash: bytes
) -> tuple[RefreshToken, RefreshFamily, User] | None:
    """The token with its family and user; the family stays locked, so that two uses of it take turns."""
    wanted = (
        select(RefreshToken, RefreshFamily, User)
        .join(RefreshFamily, col(RefreshToken.family_id) == col(RefreshFamily.id))
        .join(User, col(RefreshFamily.user_id) == col(User.id))
        .where(RefreshToken.hash == token_hash)
        .with_for_update(of=(RefreshFamily, RefreshToken))
    )
    return (await session.exec(wanted)).first()


async def end_family(session: Session, family_id: UUID, now: datetime) -> None:
    living = (col(RefreshFamily.id) == family_id, col(RefreshFamily.ended_at).is_(None))
    await session.exec(update(RefreshFamily).where(*living).values(ended_at=now))


async def signing_keys(session: Session) -> Sequence[SigningKey]:
    """Newest first."""
    return (await session.exec(select(SigningKey).order_by(col(SigningKey.created_at).desc()))).all()


async def lock_signing_keys(session: Session) -> None:
    """Only one instance at a time makes keys; held until the transaction ends."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtext("accounts.signing_keys"))))
