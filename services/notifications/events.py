"""Every subscription of notifications."""

from services.notifications import service
from services.notifications.domain import MailKind, Type
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import (
    EmailConfirmationRequested,
    KeysDropped,
    PasswordResetRequested,
    SessionRevoked,
    UserErased,
    UserRegistered,
    UserUpdated,
)
from shared.contracts.orders import OrderAssigned, OrderCreated, OrderStatusChanged
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentRefunded
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, keep_person)
    subscriptions.subscribe(UserUpdated, keep_person)
    subscriptions.subscribe(UserErased, forget_person)
    subscriptions.subscribe(PasswordResetRequested, mail_reset_link)
    subscriptions.subscribe(EmailConfirmationRequested, mail_confirmation_link)
    subscriptions.subscribe(OrderCreated, tell_of_creation)
    subscriptions.subscribe(OrderAssigned, tell_of_assignment)
    subscriptions.subscribe(OrderStatusChanged, tell_of_move)
    subscriptions.subscribe(PaymentCompleted, tell_of_payment)
    subscriptions.subscribe(PaymentFailed, tell_of_failure)
    subscriptions.subscribe(PaymentRefunded, tell_of_refund)


async def keep_person(session: Session, event: UserRegistered | UserUpdated) -> None:
    await service.keep_person(session, event.user)


async def forget_person(session: Session, event: UserErased) -> None:
    await service.forget_person(session, event.user_id, event.version)


async def mail_reset_link(session: Session, event: PasswordResetRequested) -> None:
    await service.queue_mail(session, event.request_id, event.user_id, MailKind.RESET_PASSWORD)


async def mail_confirmation_link(session: Session, event: EmailConfirmationRequested) -> None:
    await service.queue_mail(session, event.request_id, event.user_id, MailKind.CONFIRM_EMAIL)


async def tell_of_creation(session: Session, event: OrderCreated) -> None:
    await service.notify_of_order(session, Type.ORDER_CREATED, event.order)


async def tell_of_assignment(session: Session, event: OrderAssigned) -> None:
    await service.notify_of_order(session, Type.ORDER_ASSIGNED, event.order, [event.previous_worker_id])


async def tell_of_move(session: Session, event: OrderStatusChanged) -> None:
    await service.notify_of_order(session, Type.ORDER_STATUS_CHANGED, event.order, [event.previous_worker_id])


async def tell_of_payment(session: Session, event: PaymentCompleted) -> None:
    payment = event.payment
    both = [payment.client_id, payment.worker_id or payment.owner_id]
    await service.notify_of_payment(session, Type.PAYMENT_SUCCESS, payment, both)


async def tell_of_failure(session: Session, event: PaymentFailed) -> None:
    await service.notify_of_payment(session, Type.PAYMENT_FAILED, event.payment, [event.payment.client_id])


async def tell_of_refund(session: Session, event: PaymentRefunded) -> None:
    await service.notify_of_refund(session, event.payment, event.refund)
