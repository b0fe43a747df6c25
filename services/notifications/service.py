"""Use cases of notifications."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from services.notifications import repo
from services.notifications.domain import Channel, MailKind, Type, is_on
from services.notifications.repo import mails
from services.notifications.texts.titles import title
from shared.contracts.accounts import UserState
from shared.contracts.orders import OrderState
from shared.contracts.payments import PaymentState, RefundState
from shared.db import Session, after_commit
from shared.errors import NotFound
from shared.ids import new_id


class Notice(NamedTuple):
    """What there is to tell, and whom."""

    type: Type
    data: Mapping[str, Any]
    to: Collection[UUID]
    traceparent: str | None = None
    """Where the event that it is about stands in its trace."""


def of_order(kind: Type, order: OrderState, *more_to: UUID | None, **more_data: object) -> Notice:
    """To the client and the worker, who is the service's owner while nobody is assigned; and more."""
    data = {
        "order_id": order.id,
        "number": order.number,
        "status": order.status,
        "payment_status": order.payment_status,
        "service_title": order.service_title,
        **more_data,
    }
    return Notice(kind, data, _people(order.client_id, order.worker_id or order.owner_id, *more_to))


def of_payment(kind: Type, payment: PaymentState, *to: UUID | None) -> Notice:
    return Notice(kind, _data_of(payment), _people(*to))


def of_refund(payment: PaymentState, refund: RefundState) -> Notice:
    """To the client and the worker."""
    data = _data_of(payment) | {"refund_id": refund.id, "refund_amount": refund.amount}
    return Notice(Type.PAYMENT_REFUNDED, data, _people(payment.client_id, payment.worker_id or payment.owner_id))


def _data_of(payment: PaymentState) -> dict[str, Any]:
    return {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "number": payment.order_number,
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
    }


def _people(*ids: UUID | None) -> set[UUID]:
    return {user_id for user_id in ids if user_id}


async def notify(session: Session, notices: Sequence[Notice]) -> None:
    """Put them into the mailboxes of all whom they are for, in their order and each reader's language; wake those
    people's sockets, and let a mail become due to who wants one."""
    readers = await repo.readers(session, set().union(*(notice.to for notice in notices)))
    told = [
        (notice, user_id)
        for notice in notices
        for user_id in notice.to
        if is_on(readers[user_id].off, notice.type, Channel.LIVE)
    ]
    if not told:
        return
    later: Counter[UUID] = Counter()
    rows: list[repo.NewNotification] = []
    for notice, user_id in reversed(told):
        language, off = readers[user_id]
        rows.append(
            {
                "id": new_id(),
                "user_id": user_id,
                "later": later[user_id],
                "type": notice.type,
                "title": title(notice.type, notice.data, language),
                "data": notice.data,
                "traceparent": notice.traceparent,
                "mail": is_on(off, notice.type, Channel.EMAIL),
            }
        )
        later[user_id] += 1
    added = sorted(await repo.put_in(session, rows[::-1], session.info["mail_pace"]), key=lambda row: row.seq)
    if not added:
        return
    wake: Callable[[Mapping[UUID, int], Sequence[Any]], Any] = session.info["wake_sockets"]
    after_commit(
        session, partial(wake, {row.user_id: row.seq for row in sorted(added, key=lambda row: row.seq)}, added)
    )


async def mark_read(session: Session, user_id: UUID, notification_id: UUID) -> None:
    if not await repo.mark_read(session, user_id, notification_id):
        raise NotFound("You have no such notification.")


async def keep_person(session: Session, user: UserState) -> None:
    await repo.keep_person(session, user.model_dump(include={"id", "language", "is_active", "version"}))


async def forget_person(session: Session, user_id: UUID, version: int) -> None:
    """Delete what is kept of the user. What stays is a counter and a tombstone, so that nothing comes back."""
    await repo.close_mailbox(session, user_id)
    await mails.delete_mails_of(session, user_id)
    await repo.forget_preferences(session, user_id)
    await repo.forget_tickets(session, user_id)
    await repo.keep_person(session, {"id": user_id, "language": None, "is_active": False, "version": version})


async def queue_mail(session: Session, request_id: UUID, user_id: UUID, kind: MailKind) -> None:
    """Have the mail sent soon, by whichever instance."""
    await mails.queue_mail(session, request_id, user_id, kind)
    wake: Callable[[], None] = session.info["wake_mail_queue"]
    after_commit(session, wake)


async def export(session: Session, user_id: UUID) -> dict[str, Any]:
    """Everything that is kept of the user and is not a copy of another service's."""
    off = await repo.switched_off(session, [user_id])
    return {
        "notifications": [dict(row) for row in await repo.all_notifications(session, user_id)],
        "switched_off": off.get(user_id, {}),
    }
