"""Every subscription of accounts."""

from services.accounts.service import workers
from shared.auth.keys import drop_keys
from shared.auth.revocations import keep_revocation
from shared.contracts.accounts import KeysDropped, SessionRevoked
from shared.contracts.catalog import ServiceUpdated
from shared.db import Session
from shared.messaging.bus import Subscriptions


def register(subscriptions: Subscriptions) -> None:
    subscriptions.subscribe(SessionRevoked, keep_revocation)
    subscriptions.subscribe(KeysDropped, drop_keys)
    subscriptions.subscribe(ServiceUpdated, keep_service)


async def keep_service(session: Session, event: ServiceUpdated) -> None:
    await workers.keep_service(session, event.service)
