"""Every subscription of notifications."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.notifications import service
from services.notifications.domain import MailKind, Type
from services.notifications.service import Notice
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts import Event
from shared.contracts.accounts import (
    EmailConfirmationRequested,
    KeysDropped,
    PasswordResetRequested,
    SessionRevoked,
    UserErased,
    UserRegistered,
    UserUpdated,
)
from shared.contracts.orders import (
    OrderAssigned,
    OrderCreated,
    OrderDisputed,
    OrderDisputeResolved,
    OrderStatusChanged,
)
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentRefunded
from shared.db import Session
from shared.messaging.bus import Received, Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, keep_person)
    subscriptions.subscribe(UserUpdated, keep_person)
    subscriptions.subscribe(UserErased, forget_person)
    subscriptions.subscribe(PasswordResetRequested, mail_reset_link)
    subscriptions.subscribe(EmailConfirmationRequested, mail_confirmation_link)
    subscriptions.subscribe_batch(tell, *NOTICES)


async def keep_person(session: Session, event: UserRegistered | UserUpdated) -> None:
    await service.keep_person(session, event.user)


async def forget_person(session: Session, event: UserErased) -> None:
    await service.forget_person(session, event.user_id, event.version)


async def mail_reset_link(session: Session, event: PasswordResetRequested) -> None:
    await service.queue_mail(session, event.request_id, event.user_id, MailKind.RESET_PASSWORD)


async def mail_confirmation_link(session: Session, event: EmailConfirmationRequested) -> None:
    await service.queue_mail(session, event.request_id, event.user_id, MailKind.CONFIRM_EMAIL)


async def tell(session: Session, received: Sequence[Received]) -> None:
    """Tell all whom these events concern."""
    notices = [NOTICES[type(event)](event)._replace(traceparent=traceparent) for event, traceparent in received]
    await service.notify(session, notices)


def of_creation(event: OrderCreated) -> Notice:
    return service.of_order(Type.ORDER_CREATED, event.order)


def of_assignment(event: OrderAssigned) -> Notice:
    return service.of_order(Type.ORDER_ASSIGNED, event.order, event.previous_worker_id)


def of_move(event: OrderStatusChanged) -> Notice:
    return service.of_order(Type.ORDER_STATUS_CHANGED, event.order, event.previous_worker_id)


def of_dispute(event: OrderDisputed) -> Notice:
    return service.of_order(Type.ORDER_DISPUTED, event.order, dispute_id=event.dispute_id)


def of_decision(event: OrderDisputeResolved) -> Notice:
    about = {"dispute_id": event.dispute_id, "refund_amount": event.refund_amount}
    return service.of_order(Type.ORDER_DISPUTE_RESOLVED, event.order, **about)


def of_payment(event: PaymentCompleted) -> Notice:
    payment = event.payment
    return service.of_payment(Type.PAYMENT_SUCCESS, payment, payment.client_id, payment.worker_id or payment.owner_id)


def of_failure(event: PaymentFailed) -> Notice:
    return service.of_payment(Type.PAYMENT_FAILED, event.payment, event.payment.client_id)


def of_refund(event: PaymentRefunded) -> Notice:
    return service.of_refund(event.payment, event.refund)


NOTICES: Mapping[type[Event], Callable[[Any], Notice]] = {
    OrderCreated: of_creation,
    OrderAssigned: of_assignment,
    OrderStatusChanged: of_move,
    OrderDisputed: of_dispute,
    OrderDisputeResolved: of_decision,
    PaymentCompleted: of_payment,
    PaymentFailed: of_failure,
    PaymentRefunded: of_refund,
}
"""What each event tells, and whom."""
