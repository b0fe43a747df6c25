"""Every subscription of payments."""

from collections.abc import Sequence
from datetime import timedelta

from services.payments.service import escrow, orders, refunds, users
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked, UserErased
from shared.contracts.orders import (
    OrderAssigned,
    OrderCreated,
    OrderDisputed,
    OrderDisputeResolved,
    OrderStatusChanged,
    RefundRequested,
)
from shared.db import Session
from shared.messaging.bus import Received, Subscriptions

PATIENCE = timedelta(seconds=0.2)
"""For more orders to come: who pays before our copy has heard of it has orders asked."""


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserErased, forget_user)
    subscriptions.subscribe_batch(keep_orders, OrderCreated, OrderAssigned, OrderStatusChanged, patience=PATIENCE)
    subscriptions.subscribe(OrderDisputed, hold_escrow)
    subscriptions.subscribe(OrderDisputeResolved, act_on_decision)
    subscriptions.subscribe(RefundRequested, refund_remainder)


async def forget_user(session: Session, event: UserErased) -> None:
    await users.forget_user(session, event.user_id)


async def keep_orders(session: Session, received: Sequence[Received]) -> None:
    await orders.keep_orders(session, [event.order for event, _ in received])


async def hold_escrow(session: Session, event: OrderDisputed) -> None:
    await escrow.note_dispute(session, event.order, event.dispute_id)


async def act_on_decision(session: Session, event: OrderDisputeResolved) -> None:
    await escrow.note_decision(session, event.order, event.dispute_id, event.refund_amount)


async def refund_remainder(session: Session, event: RefundRequested) -> None:
    await refunds.refund_as_requested(session, event.payment_id, event.order_id, event.reason)
