"""Users."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.accounts.domain import Role
from services.accounts.models import User
from shared.db import Session
from shared.db.base import utcnow
from shared.db.search import has_words
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_time

SHOWN = (
    col(User.id),
    col(User.email),
    col(User.email_confirmed_at).is_not(None).label("email_confirmed"),
    col(User.full_name),
    col(User.role),
    col(User.phone),
    col(User.language),
    col(User.is_active),
    col(User.version),
    col(User.created_at),
    col(User.updated_at),
)


async def user(session: Session, user_id: UUID) -> User | None:
    """None also for one that is erased."""
    return (await session.exec(select(User).where(User.id == user_id, col(User.erased_at).is_(None)))).first()


async def user_by_email(session: Session, email_key: str) -> User | None:
    return (await session.exec(select(User).where(User.email_key == email_key))).first()


async def locked_user(session: Session, user_id: UUID) -> User | None:
    """The user as of now, whatever was read before; logins, passwords, bans and erasure of one user take turns."""
    locked = select(User).where(User.id == user_id, col(User.erased_at).is_(None)).with_for_update(key_share=True)
    return (await session.exec(locked.execution_options(populate_existing=True))).first()


async def change_user(session: Session, user: User, **values: Any) -> User:
    """Write the values to a locked user, and count the version up."""
    changed = (
        update(User)
        .where(col(User.id) == user.id)
        .values(version=User.version + 1, updated_at=utcnow(), **values)
        .returning(User)
        .execution_options(populate_existing=True)
    )
    return (await session.exec(changed)).one()[0]  # type: ignore[no-any-return]


async def users(
    session: Session, page: PageRequest, *, role: Role | None, active: bool | None, words: Sequence[str]
) -> Sequence[RowMapping]:
    """One page of users, newest first, as rows; each of `words` begins a word of name, address or phone."""
    statement = rows_of(*SHOWN).where(col(User.erased_at).is_(None))
    if role:
        statement = statement.where(col(User.role) == role)
    if active is not None:
        statement = statement.where(col(User.is_active) == active)
    if words:
        statement = statement.where(has_words(col(User.search), words))
    ordering = Ordering((User.created_at, User.id), (parse_time, parse_id), descending=True)
    connection = await session.connection()
    return (await connection.execute(page.apply(statement, ordering))).mappings().all()
