"""Tickets: what opens a socket where neither a header nor a message can say who one is."""

import asyncio
import hashlib
import secrets
from datetime import timedelta

import structlog

from services.notifications import repo
from services.notifications.models import SocketTicket
from shared.auth.tokens import Claims
from shared.auth.users import User
from shared.db import Database, Session
from shared.db.base import utcnow
from shared.errors import Unauthenticated

SWEEP_EVERY = timedelta(minutes=10)

log = structlog.get_logger("notifications")


def issue(session: Session, user: User, lifetime: timedelta) -> str:
    """A new ticket of 256 bit: what it opens ends when the user's access token does."""
    ticket = secrets.token_urlsafe(32)
    claims = user.claims
    session.add(
        SocketTicket(
            hash=_hash(ticket),
            user_id=user.id,
            role=user.role,
            session_id=claims.session_id,
            user_version=claims.user_version,
            token_expires_at=claims.expires_at,
            expires_at=utcnow() + lifetime,
        )
    )
    return ticket


async def redeem(database: Database, ticket: str) -> User:
    """Whom the ticket speaks for. Raises `Unauthenticated` for one that was used, has ended, or never was."""
    async with database.session() as session:
        found = await repo.take_ticket(session, _hash(ticket))
    if found is None:
        raise Unauthenticated("This ticket does not hold.")
    claims = Claims(found.user_id, found.role, found.session_id, found.user_version, found.token_expires_at)
    return User(id=found.user_id, role=found.role, claims=claims)


async def sweep_forever(database: Database) -> None:
    """Delete tickets that nobody used, now and every ten minutes, until cancelled."""
    while True:
        try:
            async with database.session() as session:
                await repo.sweep_tickets(session)
        except Exception as error:
            log.warning("tickets_are_not_swept", error=repr(error))
        await asyncio.sleep(SWEEP_EVERY.total_seconds())


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
