"""Every SQL statement of notifications."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Row,
    RowMapping,
    String,
    Uuid,
    and_,
    any_,
    cast,
    delete,
    func,
    literal,
    true,
    update,
)
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import col, select

from services.notifications.domain import MailKind, SwitchedOff, Type
from services.notifications.models import Mailbox, Notification, Person, Preferences, QueuedMail, SocketTicket
from shared.db import Session
from shared.db.copies import keep_if_newer
from shared.db.given import given_rows
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
PUSHED = (
    col(Notification.seq),
    col(Notification.id),
    col(Notification.type),
    col(Notification.title),
    cast(Notification.data, String).label("data"),
    col(Notification.created_at),
)
"""Data as text: it goes on as it is."""


class NewNotification(TypedDict):
    id: UUID
    user_id: UUID
    seq: int
    type: str
    title: str
    data: Mapping[str, Any]


async def count_up(session: Session, new: Mapping[UUID, int]) -> dict[UUID, int]:
    """Count each user's mailbox up by so many; returns its last `seq`, but for mailboxes that are closed.

    The mailboxes stay locked until the transaction ends: taken in the order of ids, so that no two transactions wait
    for each other.
    """
    rows = [{"user_id": user_id, "last_seq": new[user_id]} for user_id in sorted(new)]
    given = given_rows(rows, user_id=Uuid, last_seq=BigInteger)
    counted = insert(Mailbox).from_select(["user_id", "last_seq"], rows_of(*given.c))
    counted = counted.on_conflict_do_update(
        index_elements=["user_id"],
        set_={"last_seq": Mailbox.last_seq + counted.excluded.last_seq},
        where=~col(Mailbox.is_closed),
    )
    returned = counted.returning(col(Mailbox.user_id), col(Mailbox.last_seq))
    return dict((await (await session.connection()).execute(returned)).all())


async def add_notifications(session: Session, rows: Sequence[NewNotification]) -> None:
    given = given_rows(rows, id=Uuid, user_id=Uuid, seq=BigInteger, type=String, title=String, data=JSONB).c
    values = {**given, "created_at": func.now()}
    await session.exec(insert(Notification).from_select([*values], rows_of(*values.values())))


async def close_mailbox(session: Session, user_id: UUID) -> None:
    """Delete what is in the user's mailbox, and let nothing in any more."""
    closed = insert(Mailbox).values(user_id=user_id, last_seq=0, is_closed=True)
    # First, since it waits for whoever is just putting something in.
    await session.exec(closed.on_conflict_do_update(index_elements=["user_id"], set_={"is_closed": True}))
    await session.exec(delete(Notification).where(col(Notification.user_id) == user_id))


async def last_seq(session: Session, user_id: UUID) -> int:
    return (await session.exec(select(Mailbox.last_seq).where(Mailbox.user_id == user_id))).first() or 0


async def last_seqs_beyond(session: Session, sent: Mapping[UUID, int]) -> dict[UUID, int]:
    """The last `seq` of those users who have more than was sent."""
    rows = [{"user_id": user_id, "sent": seq} for user_id, seq in sent.items()]
    given = given_rows(rows, user_id=Uuid, sent=BigInteger)
    mailbox = (col(Mailbox.user_id) == given.c.user_id, col(Mailbox.last_seq) > given.c.sent)
    found = rows_of(col(Mailbox.user_id), col(Mailbox.last_seq)).select_from(given).join(Mailbox, and_(*mailbox))
    return dict((await (await session.connection()).execute(found)).all())


async def beyond(session: Session, cursors: Sequence[tuple[UUID, int]], limit: int) -> Sequence[Row[Any]]:
    """For each (user, seq), by its number among them, up to `limit` of what the user got beyond that, in order."""
    rows = [{"number": number, "user_id": user_id, "sent": seq} for number, (user_id, seq) in enumerate(cursors)]
    given = given_rows(rows, number=BigInteger, user_id=Uuid, sent=BigInteger)
    mine = (col(Notification.user_id) == given.c.user_id, col(Notification.seq) > given.c.sent)
    each = rows_of(*PUSHED).where(*mine).order_by(col(Notification.seq)).limit(limit).correlate(given).lateral()
    found = rows_of(given.c.number, *each.c).select_from(given).join(each, true()).order_by(given.c.number, each.c.seq)
    return (await (await session.connection()).execute(found)).all()


async def all_notifications(session: Session, user_id: UUID) -> Sequence[RowMapping]:
    """Oldest first."""
    mine = rows_of(*SHOWN).where(col(Notification.user_id) == user_id).order_by(col(Notification.seq))
    return (await (await session.connection()).execute(mine)).mappings().all()


async def unread_count(session: Session, user_id: UUID) -> int:
    unread = (col(Notification.user_id) == user_id, col(Notification.read_at).is_(None))
    return (await session.exec(select(func.count()).select_from(Notification).where(*unread))).one()


async def mark_read(session: Session, user_id: UUID, notification_id: UUID) -> bool:
    """False where the user has no such notification. What was read keeps the time of that."""
    mine = (col(Notification.id) == notification_id, col(Notification.user_id) == user_id)
    marked = update(Notification).where(*mine).values(read_at=func.coalesce(Notification.read_at, func.now()))
    return (await session.exec(marked.returning(literal(1)))).first() is not None


async def mark_all_read(session: Session, user_id: UUID) -> None:
    unread = (col(Notification.user_id) == user_id, col(Notification.read_at).is_(None))
    await session.exec(update(Notification).where(*unread).values(read_at=func.now()))


async def switched_off(session: Session, users: Collection[UUID]) -> dict[UUID, SwitchedOff]:
    """Of those users who have changed their preferences."""
    theirs = col(Preferences.user_id) == any_(literal([*users], ARRAY(Uuid)))
    found = rows_of(col(Preferences.user_id), col(Preferences.off)).where(theirs)
    return dict((await (await session.connection()).execute(found)).all())


async def switch_off(session: Session, user_id: UUID, off: SwitchedOff) -> None:
    """These, and nothing else."""
    chosen = insert(Preferences).values(user_id=user_id, off=off)
    await session.exec(chosen.on_conflict_do_update(index_elements=["user_id"], set_={"off": chosen.excluded.off}))


async def forget_preferences(session: Session, user_id: UUID) -> None:
    await session.exec(delete(Preferences).where(col(Preferences.user_id) == user_id))


async def take_ticket(session: Session, hashed: bytes) -> SocketTicket | None:
    """The ticket, if it still holds: whoever takes it is the only one."""
    holds = (col(SocketTicket.hash) == hashed, col(SocketTicket.expires_at) > func.now())
    taken = delete(SocketTicket).where(*holds).returning(SocketTicket)
    row = (await session.exec(taken)).first()
    return row[0] if row else None


async def forget_tickets(session: Session, user_id: UUID) -> None:
    await session.exec(delete(SocketTicket).where(col(SocketTicket.user_id) == user_id))


async def sweep_tickets(session: Session) -> None:
    await session.exec(delete(SocketTicket).where(col(SocketTicket.expires_at) <= func.now()))


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
