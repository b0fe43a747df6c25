"""Every SQL statement of notifications."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.notifications.domain import Type
from services.notifications.models import Mailbox, Notification, Person
from shared.db import Session
from shared.db.copies import keep_if_newer
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_seq

SHOWN = (
    col(Notification.id),
    col(Notification.seq),
    col(Notification.type),
    col(Notification.title),
    col(Notification.data),
    col(Notification.created_at),
    col(Notification.read_at),
)


async def next_seq(session: Session, user_id: UUID) -> int:
    """Count the user's mailbox up by one; it stays locked until the transaction ends."""
    first = insert(Mailbox).values(user_id=user_id, last_seq=1)
    counted = first.on_conflict_do_update(index_elements=["user_id"], set_={"last_seq": Mailbox.last_seq + 1})
    return (await session.exec(counted.returning(col(Mailbox.last_seq)))).one()[0]  # type: ignore[no-any-return]


async def last_seq(session: Session, user_id: UUID) -> int:
    return (await session.exec(select(Mailbox.last_seq).where(Mailbox.user_id == user_id))).first() or 0


async def after(session: Session, user_id: UUID, seq: int, limit: int) -> Sequence[RowMapping]:
    """What the user got beyond `seq`, in order."""
    mine = (col(Notification.user_id) == user_id, col(Notification.seq) > seq)
    beyond = rows_of(*SHOWN).where(*mine).order_by(col(Notification.seq)).limit(limit)
    return (await (await session.connection()).execute(beyond)).mappings().all()


async def notifications(
    session: Session, user_id: UUID, page: PageRequest, *, unread: bool | None, kind: Type | None
) -> Sequence[RowMapping]:
    """One page of the user's inbox, newest first."""
    statement = rows_of(*SHOWN).where(col(Notification.user_id) == user_id)
    if unread is not None:
        read_at = col(Notification.read_at)
        statement = statement.where(read_at.is_(None) if unread else read_at.is_not(None))
    if kind:
        statement = statement.where(col(Notification.type) == kind)
    ordering = Ordering((Notification.seq, Notification.id), (parse_seq, parse_id), descending=True)
    return (await (await session.connection()).execute(page.apply(statement, ordering))).mappings().all()


async def keep_person(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, Person, values)
