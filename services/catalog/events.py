"""Every subscription of catalog."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from services.catalog.repo.services import count_completed_orders
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
from shared.messaging.bus import Received, Subscriptions

PATIENCE = timedelta(seconds=0.5)
"""For more orders to come: nobody waits for a count."""


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, keep_worker)
    subscriptions.subscribe(UserUpdated, keep_worker)
    subscriptions.subscribe(WorkerUpdated, keep_profile)
    subscriptions.subscribe(UserErased, forget_worker)
    subscriptions.subscribe_batch(count_orders, OrderStatusChanged, patience=PATIENCE)


async def keep_worker(session: Session, event: UserRegistered | UserUpdated) -> None:
    await service.keep_worker(session, event.user)


async def keep_profile(session: Session, event: WorkerUpdated) -> None:
    await service.keep_profile(session, event.worker)


async def forget_worker(session: Session, event: UserErased) -> None:
    await service.forget_worker(session, event.user_id, event.version)


async def count_orders(session: Session, received: Sequence[Received]) -> None:
    # Which an order becomes once, and for good.
    completed = Counter(event.order.service_id for event, _ in received if event.to_status == "completed")
    for service_id in sorted(completed):  # so that no two transactions wait for each other
        await count_completed_orders(session, service_id, completed[service_id])
