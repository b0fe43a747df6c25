"""What the platform holds of a person: all of it in one answer, or forgotten."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from services.accounts.models import User
from services.accounts.repo import logins as logins_repo
from services.accounts.repo import users as repo
from services.accounts.repo import workers as workers_repo
from services.accounts.service import workers
from services.accounts.service.identity import Identity, end_every_session
from shared.auth.users import User as Caller
from shared.contracts.accounts import UserErased
from shared.db import Session, release
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound
from shared.http.internal import InternalClient
from shared.messaging import outbox

OTHERS = ("catalog", "orders", "payments", "notifications")
PATIENCE = timedelta(seconds=8)
NO_PASSWORD = "!"  # noqa: S105 - no hash, so no password is right

log = structlog.get_logger()


async def export(session: Session, internal: InternalClient, by: Caller) -> dict[str, Any]:
    """Everything that accounts and the other services hold of the caller. Raises `OwnerAway` where one can't be asked:
    half of it would be a falsehood."""
    user = await _self(session, by)
    profile = await workers_repo.profile(session, user.id)
    own: dict[str, Any] = {
        "exported_at": utcnow(),
        "user": user.model_dump(exclude={"password_hash", "email_key", "search"}),
        "worker_profile": dict(profile) if profile else None,
        "sessions": [family.model_dump() for family in await logins_repo.all_families(session, user.id)],
    }
    await release(session)
    path = f"/internal/users/{user.id}/export/"
    found = await asyncio.gather(*(internal.find(service, path, patience=PATIENCE) for service in OTHERS))
    for part in found:
        own |= part or {}
    return own


async def erase(session: Session, internal: InternalClient, identity: Identity, by: Caller) -> None:
    """Forget the caller everywhere; the id stays as a pseudonym, and what is left of the row as a tombstone.

    Raises `Conflict` while an order of theirs is open or money is held for one, `OwnerAway` where nobody can tell.
    """
    await _self(session, by)
    await release(session)
    orders, payments = await asyncio.gather(
        internal.find("orders", f"/internal/users/{by.id}/open/"),
        internal.find("payments", f"/internal/users/{by.id}/held/"),
    )
    open_orders, held = (orders or {}).get("open_orders", 0), (payments or {}).get("held", 0)
    if open_orders or held:
        detail = "An order of yours is open, or money is held for one: the account can be erased after that."
        raise Conflict(detail, slug="open-orders", open_orders=open_orders, payments_held=held)
    user = await repo.locked_user(session, by.id)
    if user is None:
        raise NotFound("This account is no more.")
    email_key = user.email_key
    erased = await repo.change_user(
        session,
        user,
        email="",
        email_key=f"erased {user.id}",
        email_confirmed_at=None,
        password_hash=NO_PASSWORD,
        full_name="",
        phone=None,
        is_active=False,
        erased_at=utcnow(),
    )
    await end_every_session(session, identity, erased)
    await logins_repo.forget_families(session, erased.id)
    await logins_repo.forget_links(session, erased.id)
    await workers.erase_profile(session, erased.id)
    outbox.add(session, UserErased(user_id=erased.id, version=erased.version))
    await identity.throttle.forget(session, email_key)
    log.info("user_erased", user_id=str(erased.id))


async def _self(session: Session, by: Caller) -> User:
    user = await repo.user(session, by.id)
    if user is None:
        raise NotFound("This account is no more.")
    return user
