"""Every subscription of catalog."""

from services.catalog import service
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked, UserRegistered
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(UserRegistered, keep_worker)


async def keep_worker(session: Session, event: UserRegistered) -> None:
    await service.keep_worker(session, event.user)
