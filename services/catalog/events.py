"""Every subscription of catalog."""

from services.catalog.repo.services import count_completed_order
from services.catalog.service import workers as service
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import (
    KeysDropped,
    SessionRevoked,
    UserErased,
    UserRegistered,
    UserUpdated,
    WorkerUpdated,
)
from shared.contracts.orders import OrderStatusChanged
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, keep_worker)
    subscriptions.subscribe(UserUpdated, keep_worker)
    subscriptions.subscribe(WorkerUpdated, keep_profile)
    subscriptions.subscribe(UserErased, forget_worker)
    subscriptions.subscribe(OrderStatusChanged, count_order)


async def keep_worker(session: Session, event: UserRegistered | UserUpdated) -> None:
    await service.keep_worker(session, event.user)


async def keep_profile(session: Session, event: WorkerUpdated) -> None:
    await service.keep_profile(session, event.worker)


async def forget_worker(session: Session, event: UserErased) -> None:
    await service.forget_worker(session, event.user_id, event.version)


async def count_order(session: Session, event: OrderStatusChanged) -> None:
    if event.to_status == "completed":  # which an order becomes once, and for good
        await count_completed_order(session, event.order.service_id)
