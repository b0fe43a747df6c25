"""Every subscription of catalog."""

from services.catalog import service
from shared.contracts.accounts import UserRegistered
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(UserRegistered, keep_worker)


async def keep_worker(session: Session, event: UserRegistered) -> None:
    await service.keep_worker(session, event.user)
