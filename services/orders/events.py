"""Every subscription of orders."""

from services.orders import service
from services.orders.domain import PaymentStatus
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked, UserRegistered
from shared.contracts.catalog import ServiceUpdated
from shared.contracts.payments import PaymentCompleted
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, keep_person)
    subscriptions.subscribe(ServiceUpdated, keep_offer)
    subscriptions.subscribe(PaymentCompleted, mark_paid)


async def keep_person(session: Session, event: UserRegistered) -> None:
    await service.keep_person(session, event.user)


async def keep_offer(session: Session, event: ServiceUpdated) -> None:
    await service.keep_offer(session, event.service)


async def mark_paid(session: Session, event: PaymentCompleted) -> None:
    await service.note_payment(session, event.payment.order_id, PaymentStatus.PAID, event.payment.version)
