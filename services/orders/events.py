"""Every subscription of orders."""

from collections.abc import Sequence
from datetime import timedelta

from services.orders.service import copies, payments, users
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked, UserErased, UserRegistered, UserUpdated
from shared.contracts.catalog import ServiceUpdated
from shared.contracts.payments import PaymentCompleted, PaymentRefunded
from shared.db import Session
from shared.messaging.bus import Received, Subscriptions

PATIENCE = timedelta(seconds=0.05)
"""For more payments to come: a person looks at their order again later than that."""


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, note_user)
    subscriptions.subscribe(UserUpdated, note_user)
    subscriptions.subscribe(UserErased, forget_user)
    subscriptions.subscribe(ServiceUpdated, keep_offer)
    subscriptions.subscribe_batch(note_payments, PaymentCompleted, PaymentRefunded, patience=PATIENCE)


async def note_user(session: Session, event: UserRegistered | UserUpdated) -> None:
    await users.note_user(session, event.user)


async def forget_user(session: Session, event: UserErased) -> None:
    await users.forget_user(session, event.user_id, event.version)


async def keep_offer(session: Session, event: ServiceUpdated) -> None:
    await copies.keep_offer(session, event.service)


async def note_payments(session: Session, received: Sequence[Received]) -> None:
    # By their orders, so that no two transactions wait for each other; of one order in the order that they came in.
    for payment in sorted((event.payment for event, _ in received), key=lambda payment: payment.order_id):
        await payments.note_payment(session, payment)
