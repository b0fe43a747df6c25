"""Use cases of notifications."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from services.notifications import repo
from services.notifications.domain import MailKind, Type, title
from services.notifications.models import Notification
from shared.contracts.accounts import UserState
from shared.contracts.orders import OrderState
from shared.contracts.payments import PaymentState, RefundState
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.ids import new_id


async def notify_of_order(session: Session, kind: Type, order: OrderState, more: Iterable[UUID | None] = ()) -> None:
    """Tell the client and the worker, who is the service's owner while nobody is assigned; and `more`."""
    data = {
        "order_id": str(order.id),
        "number": order.number,
        "status": order.status,
        "payment_status": order.payment_status,
        "service_title": order.service_title,
    }
    words = title(kind, number=order.number, service=order.service_title, status=order.status)
    await _notify(session, kind, words, data, {order.client_id, order.worker_id or order.owner_id, *more})


async def notify_of_payment(session: Session, kind: Type, payment: PaymentState, to: Iterable[UUID | None]) -> None:
    words = title(kind, number=payment.order_number, amount=payment.amount, currency=payment.currency)
    await _notify(session, kind, words, _data_of(payment), to)


async def notify_of_refund(session: Session, payment: PaymentState, refund: RefundState) -> None:
    """Tell the client and the worker."""
    kind = Type.PAYMENT_REFUNDED
    data = _data_of(payment) | {"refund_id": str(refund.id), "refund_amount": str(refund.amount)}
    words = title(kind, number=payment.order_number, amount=refund.amount, currency=payment.currency)
    await _notify(session, kind, words, data, [payment.client_id, payment.worker_id or payment.owner_id])


def _data_of(payment: PaymentState) -> dict[str, Any]:
    return {
        "payment_id": str(payment.id),
        "order_id": str(payment.order_id),
        "number": payment.order_number,
        "status": payment.status,
        "amount": str(payment.amount),
        "currency": payment.currency,
    }


async def _notify(session: Session, kind: Type, words: str, data: dict[str, Any], to: Iterable[UUID | None]) -> None:
    # In the order of ids: two events for the same two people lock their mailboxes in the same order.
    for user_id in sorted({user_id for user_id in to if user_id}):
        seq = await repo.next_seq(session, user_id)
        if seq is None:
            continue
        session.add(
            Notification(id=new_id(), user_id=user_id, seq=seq, type=kind, title=words, data=data, created_at=utcnow())
        )
        wake: Callable[[UUID], Any] = session.info["wake_sockets"]
        after_commit(session, partial(wake, user_id))


async def keep_person(session: Session, user: UserState) -> None:
    await repo.keep_person(session, user.model_dump(include={"id", "language", "is_active", "version"}))


async def forget_person(session: Session, user_id: UUID, version: int) -> None:
    """Delete what is kept of the user. What stays is a counter and a tombstone, so that nothing comes back."""
    await repo.close_mailbox(session, user_id)
    await repo.delete_mails_of(session, user_id)
    await repo.keep_person(session, {"id": user_id, "language": None, "is_active": False, "version": version})


async def queue_mail(session: Session, request_id: UUID, user_id: UUID, kind: MailKind) -> None:
    """Have the mail sent soon, by whichever instance."""
    await repo.queue_mail(session, request_id, user_id, kind)
    wake: Callable[[], None] = session.info["wake_mail_queue"]
    after_commit(session, wake)


async def export(session: Session, user_id: UUID) -> dict[str, Any]:
    """Everything that is kept of the user and is not a copy of another service's."""
    return {"notifications": [dict(row) for row in await repo.after(session, user_id, 0)]}
