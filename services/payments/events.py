"""Every subscription of payments."""

from services.payments import service
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked
from shared.contracts.orders import OrderAssigned, OrderCreated, OrderStatusChanged
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(OrderCreated, keep_order)
    subscriptions.subscribe(OrderAssigned, keep_order)
    subscriptions.subscribe(OrderStatusChanged, keep_order)


async def keep_order(session: Session, event: OrderCreated | OrderAssigned | OrderStatusChanged) -> None:
    await service.keep_order(session, event.order)
