"""Every SQL statement of notifications: here of mailboxes, and of who reads them; of mails in `mails`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Executable,
    Interval,
    RowMapping,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    true,
    update,
)
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import col, select

from services.notifications.domain import MailPace, SwitchedOff, Type
from services.notifications.models import Mailbox, Notification, Person, Preferences, SocketTicket
from shared.contracts.accounts import DEFAULT_LANGUAGE, Language
from shared.db import Connected, Session, Statement
from shared.db.copies import keep_if_newer
from shared.db.given import given, given_rows
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
    col(Notification.traceparent),
)
"""Data as text: it goes on as it is."""


class NewNotification(TypedDict):
    id: UUID
    user_id: UUID
    later: int
    """How many of those that are put in at once come after it in the same mailbox."""
    type: str
    title: str
    data: Mapping[str, Any]
    traceparent: str | None
    mail: bool
    """Whether a mail of what is new becomes due, if none is yet."""


async def put_in(session: Session, rows: Sequence[NewNotification], pace: MailPace) -> Sequence[Any]:
    """Put them into their mailboxes, but for those that are closed. Returns them as `beyond` would find them, each with
    its `user_id`, in any order.

    The mailboxes stay locked until the transaction ends: taken in the order of ids, so that no two transactions wait
    for each other.
    """
    return await _PUT_IN.all(session, **given(rows), **pace._asdict())


def _putting_in() -> Executable:
    columns = ("id", "user_id", "type", "title", "data", "traceparent")
    table = Notification.metadata.tables["notifications"]
    types = {name: table.c[name].type for name in columns} | {"later": BigInteger, "mail": Boolean}
    new = rows_of(given_rows(**types)).cte("new")
    counted = _counting_up(new.c).cte("counted")
    values = {**{name: new.c[name] for name in columns}, "seq": counted.c.last_seq - new.c.later}
    values["created_at"] = func.now()
    numbered = rows_of(*values.values()).join_from(new, counted, counted.c.user_id == new.c.user_id)
    put_in = insert(Notification).from_select([*values], numbered)
    return put_in.returning(col(Notification.user_id), *PUSHED)


def _counting_up(new: Any) -> ReturningInsert[UUID, int]:
    soon = case((func.bool_or(new.mail), func.now() + bindparam("delay", type_=Interval)))
    first = {"user_id": new.user_id, "last_seq": func.count(), "mail_due_at": soon, "mailed_seq": literal(0)}
    by_user = rows_of(*first.values()).group_by(new.user_id).order_by(new.user_id)
    counted = insert(Mailbox).from_select([*first], by_user)
    due_at, not_before = counted.excluded.mail_due_at, col(Mailbox.mailed_at) + bindparam("interval", type_=Interval)
    newly_due_at = case((due_at.is_not(None), func.greatest(due_at, not_before)))
    counted = counted.on_conflict_do_update(
        index_elements=["user_id"],
        set_={
            "last_seq": Mailbox.last_seq + counted.excluded.last_seq,
            "mail_due_at": func.coalesce(Mailbox.mail_due_at, newly_due_at),
            "mailed_seq": func.coalesce(Mailbox.mailed_seq, Mailbox.last_seq),
        },
        where=~col(Mailbox.is_closed),
    )
    return counted.returning(col(Mailbox.user_id), col(Mailbox.last_seq))


_PUT_IN = Statement[Any](_putting_in())


async def close_mailbox(session: Session, user_id: UUID) -> None:
    """Delete what is in the user's mailbox, and let nothing in any more."""
    closing = {"is_closed": True, "mail_due_at": None, "mail_attempts": 0, "mailed_at": None}
    closed = insert(Mailbox).values(user_id=user_id, last_seq=0, **closing)
    # First, since it waits for whoever is just putting something in.
    await session.exec(closed.on_conflict_do_update(index_elements=["user_id"], set_=closing))
    await session.exec(delete(Notification).where(col(Notification.user_id) == user_id))


async def last_seq(session: Connected, user_id: UUID) -> int:
    mailbox = await _MAILBOX.first(session, user_id=user_id)
    return mailbox.last_seq if mailbox else 0


_MAILBOX = Statement[Any](rows_of(col(Mailbox.last_seq)).where(col(Mailbox.user_id) == bindparam("user_id")))


async def last_seqs_beyond(session: Connected, sent: Mapping[UUID, int]) -> dict[UUID, int]:
    """The last `seq` of those users who have more than was sent."""
    rows = [{"user_id": user_id, "sent": seq} for user_id, seq in sent.items()]
    return dict(await _LAST_SEQS_BEYOND.all(session, **given(rows)))


def _last_seqs_beyond() -> Select[UUID, int]:
    users = given_rows(user_id=Uuid, sent=BigInteger)
    mailbox = (col(Mailbox.user_id) == users.c.user_id, col(Mailbox.last_seq) > users.c.sent)
    return rows_of(col(Mailbox.user_id), col(Mailbox.last_seq)).select_from(users).join(Mailbox, and_(*mailbox))


_LAST_SEQS_BEYOND = Statement[Any](_last_seqs_beyond())


async def beyond(session: Connected, cursors: Sequence[tuple[UUID, int]], limit: int) -> Sequence[Any]:
    """For each (user, seq), by its number among them, up to `limit` of what the user got beyond that, in order."""
    rows = [{"number": number, "user_id": user_id, "sent": seq} for number, (user_id, seq) in enumerate(cursors)]
    return await _BEYOND.all(session, **given(rows), limit=limit)


def _beyond() -> Select[Any]:
    cursors = given_rows(number=BigInteger, user_id=Uuid, sent=BigInteger)
    mine = (col(Notification.user_id) == cursors.c.user_id, col(Notification.seq) > cursors.c.sent)
    each = rows_of(*PUSHED).where(*mine).order_by(col(Notification.seq)).limit(bindparam("limit", type_=BigInteger))
    of_each = each.correlate(cursors).lateral()
    found = rows_of(cursors.c.number, *of_each.c).select_from(cursors).join(of_each, true())
    return found.order_by(cursors.c.number, of_each.c.seq)


_BEYOND = Statement[Any](_beyond())


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


class Reader(NamedTuple):
    language: Language
    off: SwitchedOff


async def readers(session: Session, users: Collection[UUID]) -> dict[UUID, Reader]:
    """How each of the users wants to be told. Who is not known yet has not chosen anything."""
    rows = await _READERS.all(session, **given([{"user_id": user_id} for user_id in users]))
    return {user_id: Reader(language or DEFAULT_LANGUAGE, off or {}) for user_id, language, off in rows}


def _readers() -> Select[Any]:
    users = given_rows(user_id=Uuid)
    return (
        rows_of(users.c.user_id, col(Person.language), col(Preferences.off))
        .select_from(users)
        .outerjoin(Person, col(Person.id) == users.c.user_id)
        .outerjoin(Preferences, col(Preferences.user_id) == users.c.user_id)
    )


_READERS = Statement[Any](_readers())


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
