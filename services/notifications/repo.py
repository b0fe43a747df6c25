"""Every SQL statement of notifications."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, update
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.notifications.domain import MailKind, Type
from services.notifications.models import Mailbox, Notification, Person, QueuedMail
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


async def next_seq(session: Session, user_id: UUID) -> int | None:
    """Count the user's mailbox up by one; it stays locked until the transaction ends. None where it is closed."""
    first = insert(Mailbox).values(user_id=user_id, last_seq=1)
    counted = first.on_conflict_do_update(
        index_elements=["user_id"], set_={"last_seq": Mailbox.last_seq + 1}, where=~col(Mailbox.is_closed)
    )
    row = (await session.exec(counted.returning(col(Mailbox.last_seq)))).first()
    return row[0] if row else None


async def close_mailbox(session: Session, user_id: UUID) -> None:
    """Delete what is in the user's mailbox, and let nothing in any more."""
    closed = insert(Mailbox).values(user_id=user_id, last_seq=0, is_closed=True)
    # First, since it waits for whoever is just putting something in.
    await session.exec(closed.on_conflict_do_update(index_elements=["user_id"], set_={"is_closed": True}))
    await session.exec(delete(Notification).where(col(Notification.user_id) == user_id))


async def last_seq(session: Session, user_id: UUID) -> int:
    return (await session.exec(select(Mailbox.last_seq).where(Mailbox.user_id == user_id))).first() or 0


async def after(session: Session, user_id: UUID, seq: int, limit: int | None = None) -> Sequence[RowMapping]:
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


async def queue_mail(session: Session, mail_id: UUID, user_id: UUID, kind: MailKind) -> None:
    now = func.now()
    queued = insert(QueuedMail).values(id=mail_id, user_id=user_id, kind=kind, attempts=0, next_at=now, created_at=now)
    await session.exec(queued.on_conflict_do_nothing())


async def lease_mails(session: Session, lease: timedelta, limit: int) -> Sequence[QueuedMail]:
    """Begin an attempt at up to `limit` mails that are due: nobody else gets them before the lease ends."""
    due = (
        select(QueuedMail.id)
        .where(col(QueuedMail.next_at) <= func.now())
        .order_by(col(QueuedMail.next_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    leased = (
        update(QueuedMail)
        .where(col(QueuedMail.id) == due.c.id)
        .values(attempts=QueuedMail.attempts + 1, next_at=func.now() + lease)
        .returning(QueuedMail)
        .execution_options(synchronize_session=False)
    )
    return [row[0] for row in await session.exec(leased)]


async def postpone_mail(session: Session, mail: QueuedMail, delay: timedelta) -> None:
    """Let the next attempt begin after `delay`, unless another one has begun meanwhile."""
    mine = (col(QueuedMail.id) == mail.id, col(QueuedMail.attempts) == mail.attempts)
    await session.exec(update(QueuedMail).where(*mine).values(next_at=func.now() + delay))


async def delete_mail(session: Session, mail_id: UUID) -> None:
    await session.exec(delete(QueuedMail).where(col(QueuedMail.id) == mail_id))


async def delete_mails_of(session: Session, user_id: UUID) -> None:
    await session.exec(delete(QueuedMail).where(col(QueuedMail.user_id) == user_id))
