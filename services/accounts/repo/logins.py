"""Logins: families of refresh tokens, and links that go out by mail."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, delete, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.accounts.domain import Purpose
from services.accounts.models import OneTimeLink, RefreshFamily, RefreshToken, User
from shared.db import Session
from shared.db.base import utcnow
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_time

STEP = 1000


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


async def family_lives(session: Session, family_id: UUID, user_id: UUID) -> bool:
    living = select(RefreshFamily.id).where(
        RefreshFamily.id == family_id, RefreshFamily.user_id == user_id, col(RefreshFamily.ended_at).is_(None)
    )
    return (await session.exec(living)).first() is not None


async def families(session: Session, user_id: UUID, page: PageRequest) -> Sequence[RowMapping]:
    """One page of the user's living logins, newest first, as rows."""
    shown = (
        col(RefreshFamily.id),
        col(RefreshFamily.address),
        col(RefreshFamily.agent),
        col(RefreshFamily.created_at),
        col(RefreshFamily.last_used_at),
    )
    usable = select(RefreshToken.hash).where(
        RefreshToken.family_id == RefreshFamily.id,
        col(RefreshToken.spent_at).is_(None),
        col(RefreshToken.ends_at) > utcnow(),
    )
    statement = rows_of(*shown).where(
        col(RefreshFamily.user_id) == user_id, col(RefreshFamily.ended_at).is_(None), usable.exists()
    )
    ordering = Ordering((RefreshFamily.created_at, RefreshFamily.id), (parse_time, parse_id), descending=True)
    connection = await session.connection()
    return (await connection.execute(page.apply(statement, ordering))).mappings().all()


async def all_families(session: Session, user_id: UUID) -> Sequence[RefreshFamily]:
    """Also ended ones, oldest first."""
    mine = select(RefreshFamily).where(RefreshFamily.user_id == user_id)
    return (await session.exec(mine.order_by(col(RefreshFamily.created_at)))).all()


def of(user_id: UUID) -> ColumnElement[bool]:
    return col(RefreshFamily.user_id) == user_id


def one(family_id: UUID) -> ColumnElement[bool]:
    return col(RefreshFamily.id) == family_id


async def end_families(session: Session, *conditions: ColumnElement[bool]) -> list[UUID]:
    """End the living families that meet the conditions; returns their ids."""
    ended = update(RefreshFamily).where(col(RefreshFamily.ended_at).is_(None), *conditions).values(ended_at=utcnow())
    return [row[0] for row in (await session.exec(ended.returning(col(RefreshFamily.id)))).all()]


async def forget_families(session: Session, user_id: UUID) -> None:
    await session.exec(delete(RefreshFamily).where(col(RefreshFamily.user_id) == user_id))


async def link(session: Session, link_id: UUID) -> tuple[OneTimeLink, User] | None:
    """A link that is still good, with its user, who may still use it."""
    good = (
        select(OneTimeLink, User)
        .join(User, col(OneTimeLink.user_id) == col(User.id))
        .where(
            OneTimeLink.id == link_id,
            col(OneTimeLink.used_at).is_(None),
            col(OneTimeLink.ends_at) > utcnow(),
            col(User.is_active),
        )
    )
    return (await session.exec(good)).first()


async def use_link(session: Session, link_id: UUID, user_id: UUID, purpose: Purpose) -> bool:
    """Spend the link, and with it all others of its user and purpose; False where someone else was quicker."""
    unused = (
        col(OneTimeLink.user_id) == user_id,
        col(OneTimeLink.purpose) == purpose,
        col(OneTimeLink.used_at).is_(None),
    )
    spent = update(OneTimeLink).where(*unused).values(used_at=utcnow()).returning(col(OneTimeLink.id))
    return link_id in [row[0] for row in (await session.exec(spent)).all()]


async def forget_links(session: Session, user_id: UUID) -> None:
    await session.exec(delete(OneTimeLink).where(col(OneTimeLink.user_id) == user_id))


async def sweep(session: Session, before: datetime) -> int:
    """Delete up to a step's worth of tokens and links that ended before, and families without a token left."""
    tokens = select(RefreshToken.hash).where(col(RefreshToken.ends_at) < before).limit(STEP)
    gone = delete(RefreshToken).where(col(RefreshToken.hash).in_(tokens)).returning(col(RefreshToken.family_id))
    families = {row[0] for row in (await session.exec(gone)).all()}
    left = select(RefreshToken.hash).where(RefreshToken.family_id == RefreshFamily.id)
    await session.exec(delete(RefreshFamily).where(col(RefreshFamily.id).in_(families), ~left.exists()))
    links = select(OneTimeLink.id).where(col(OneTimeLink.ends_at) < before).limit(STEP)
    links_gone = await session.exec(delete(OneTimeLink).where(col(OneTimeLink.id).in_(links)))
    return len(families) + links_gone.rowcount
