"""Mails that have to go out: those of one-time links, and those that tell what is new."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Update, case, delete, func, update
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.notifications.domain import MailKind, Type
from services.notifications.models import Mailbox, Notification, QueuedMail
from shared.db import Session


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


async def lease_news(session: Session, lease: timedelta, limit: int) -> Sequence[Mailbox]:
    """Begin an attempt at the mails of up to `limit` mailboxes that are due: nobody else gets them before the lease
    ends."""
    due = (
        select(Mailbox.user_id)
        .where(col(Mailbox.mail_due_at) <= func.now())
        .order_by(col(Mailbox.mail_due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    leased = (
        update(Mailbox)
        .where(col(Mailbox.user_id) == due.c.user_id)
        .values(mail_attempts=Mailbox.mail_attempts + 1, mail_due_at=func.now() + lease)
        .returning(Mailbox)
        .execution_options(synchronize_session=False)
    )
    return [row[0] for row in await session.exec(leased)]


async def news_of(session: Session, leased: Mailbox, kinds: Collection[Type], limit: int) -> tuple[list[Row[Any]], int]:
    """The last `limit` notifications of these kinds that no mail has told of and nobody has read, oldest first; and how
    many there are."""
    seq, read_at = col(Notification.seq), col(Notification.read_at)
    found = (
        rows_of(col(Notification.type), col(Notification.data), func.count().over().label("total"))
        .where(col(Notification.user_id) == leased.user_id, read_at.is_(None))
        .where(seq > leased.mailed_seq, seq <= leased.last_seq, col(Notification.type).in_(kinds))
        .order_by(seq.desc())
        .limit(limit)
    )
    rows = (await (await session.connection()).execute(found)).all()
    return [*reversed(rows)], rows[0].total if rows else 0


async def news_told(session: Session, leased: Mailbox, *, pause: timedelta, mailed: bool) -> None:
    """Note that what there was is told, or needs no telling. For what came meanwhile a mail is due after `pause`."""
    mailed_seq = func.greatest(Mailbox.mailed_seq, leased.last_seq)
    values: dict[str, Any] = {
        "mailed_seq": mailed_seq,
        "mail_attempts": 0,
        "mail_due_at": case((col(Mailbox.last_seq) > mailed_seq, func.now() + pause)),
    }
    if mailed:
        values["mailed_at"] = func.now()
    theirs = (col(Mailbox.user_id) == leased.user_id, ~col(Mailbox.is_closed))
    await session.exec(update(Mailbox).where(*theirs).values(values))


async def postpone_news(session: Session, leased: Mailbox, delay: timedelta) -> None:
    """Let the next attempt begin after `delay`, unless another one has begun meanwhile."""
    await session.exec(_of_attempt(leased).values(mail_due_at=func.now() + delay))


async def give_news_up(session: Session, leased: Mailbox) -> None:
    """Until the next notification, whose mail will tell of all; it waits as if this one had gone out."""
    await session.exec(_of_attempt(leased).values(mail_due_at=None, mail_attempts=0, mailed_at=func.now()))


def _of_attempt(leased: Mailbox) -> Update:
    mine = (col(Mailbox.user_id) == leased.user_id, col(Mailbox.mail_attempts) == leased.mail_attempts)
    return update(Mailbox).where(*mine)
