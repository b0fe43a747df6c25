"""Every subscription of payments."""

from services.payments import repo, service
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked, UserErased
from shared.contracts.orders import OrderAssigned, OrderCreated, OrderStatusChanged, RefundRequested
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserErased, forget_cards)
    subscriptions.subscribe(OrderCreated, keep_order)
    subscriptions.subscribe(OrderAssigned, keep_order)
    subscriptions.subscribe(OrderStatusChanged, keep_order)
    subscriptions.subscribe(RefundRequested, note_refund_request)


async def forget_cards(session: Session, event: UserErased) -> None:
    await repo.forget_cards(session, event.user_id)


async def keep_order(session: Session, event: OrderCreated | OrderAssigned | OrderStatusChanged) -> None:
    await service.keep_order(session, event.order)


async def note_refund_request(session: Session, event: RefundRequested) -> None:
    await repo.note_refund_request(session, event.payment_id, event.order_id, event.reason)
