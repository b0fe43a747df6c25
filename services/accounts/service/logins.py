"""Opening an account, logging in, and what comes of a login."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from services.accounts.domain import REFRESH_GRACE, Purpose, Role, normalise_email, refresh_ends_at
from services.accounts.models import RefreshFamily, RefreshToken, User
from services.accounts.repo import logins as repo
from services.accounts.repo import users as users_repo
from services.accounts.service import workers
from services.accounts.service.credentials import send_link
from services.accounts.service.identity import Device, Identity
from services.accounts.throttle import REFRESH_PER_SESSION
from shared.auth.users import User as Caller
from shared.contracts.accounts import DEFAULT_LANGUAGE, UserRegistered, UserState
from shared.db import Session, release
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound, Unauthenticated
from shared.http.pagination import PageRequest
from shared.ids import new_id
from shared.messaging import outbox

log = structlog.get_logger()


@dataclass(frozen=True)
class Login:
    """What a client holds after register, login or refresh."""

    user: User
    access: str
    refresh: str


async def register(
    session: Session,
    identity: Identity,
    *,
    email: str,
    password: str,
    full_name: str,
    role: Role,
    phone: str | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> User:
    """A new user. Raises `Conflict` where the e-mail is taken, also by a registration at the same moment."""
    identity.check_new_password(password, "password")
    now = utcnow()
    user = User(
        id=new_id(),
        email=email,
        email_key=normalise_email(email),
        password_hash=await identity.passwords.hash(password),
        full_name=full_name,
        role=role,
        phone=phone,
        language=language,
        created_at=now,
        updated_at=now,
    )
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict("An account with this e-mail exists already.", slug="email-taken") from error
    outbox.add(session, UserRegistered(user=UserState.model_validate(user)))
    if role == Role.WORKER:
        await workers.open_profile(session, user)
    await send_link(session, Purpose.CONFIRM_EMAIL, user)
    log.info("user_registered", user_id=str(user.id), role=role)
    return user


async def log_in(session: Session, identity: Identity, *, email: str, password: str, device: Device) -> Login:
    """Raises `Unauthenticated`, in the same words and after the same work, whatever is wrong; `TooManyRequests`."""
    email_key = normalise_email(email)
    await identity.throttle.begin_login(email_key, device.address)
    found = await users_repo.user_by_email(session, email_key)
    stored = found.password_hash if found else None
    await release(session)  # hashing takes its time
    right = await identity.passwords.verify(password, stored) and not identity.refuses(password)
    if right:
        await identity.throttle.login_succeeded(email_key, device.address)
    # Read again under a lock: a new password or a ban of this very moment must not be outrun.
    user = await users_repo.locked_user(session, found.id) if found and right else None
    if user is None or user.password_hash != stored or not user.is_active:
        log.info("login_refused", user_id=str(found.id) if found else None, address=device.address)
        raise Unauthenticated("E-mail or password is wrong.", slug="wrong-credentials")
    if identity.passwords.needs_rehash(user.password_hash):
        user.password_hash = await identity.passwords.hash(password)
        session.add(user)
    return await begin_session(session, identity, user, device)


async def begin_session(session: Session, identity: Identity, user: User, device: Device) -> Login:
    """Log `user` in on `device`: a new family of refresh tokens, and its first access token."""
    now = utcnow()
    family = RefreshFamily(
        id=new_id(),
        user_id=user.id,
        address=device.address,
        agent=device.agent,
        created_at=now,
        last_used_at=now,
    )
    session.add(family)
    await session.flush()
    refresh = secrets.token_urlsafe(32)
    session.add(RefreshToken(hash=_hash(refresh), family_id=family.id, ends_at=refresh_ends_at(now, now)))
    return Login(user, await identity.signer.access_token(user, family.id), refresh)


async def refresh(session: Session, identity: Identity, *, token: str, device: Device) -> Login | None:
    """Spend the token for a new pair; None where it is spent, ended or unknown.

    The same request sent twice within a short grace gets the same successor again. Any other use of a spent token
    means that two parties hold it: then its family ends.
    """
    now = utcnow()
    found = await repo.refresh_token_for_update(session, _hash(token))
    if found is None:
        return None
    row, family, user = found
    if family.ended_at or row.ends_at <= now or not user.is_active:
        return None
    await identity.throttle.take_within(session, REFRESH_PER_SESSION, str(family.id))
    successor = identity.successor(token)
    if row.spent_at is None:
        row.spent_at, row.spent_by, family.last_used_at = now, str(device), now
        ends_at = refresh_ends_at(now, family.created_at)
        session.add_all([row, family, RefreshToken(hash=_hash(successor), family_id=family.id, ends_at=ends_at)])
    elif now - row.spent_at > REFRESH_GRACE or row.spent_by != str(device):
        log.warning("refresh_token_reused", user_id=str(user.id), family_id=str(family.id), address=device.address)
        identity.tell_revoked(session, user, await repo.end_families(session, repo.one(family.id)))
        return None
    return Login(user, await identity.signer.access_token(user, family.id), successor)


async def log_out(session: Session, identity: Identity, *, token: str) -> None:
    """End the family of the token. One that is unknown or ended already is as logged out as it can be."""
    if found := await repo.refresh_token_for_update(session, _hash(token)):
        _, family, user = found
        identity.tell_revoked(session, user, await repo.end_families(session, repo.one(family.id)))


async def sessions(session: Session, by: Caller, page: PageRequest) -> dict[str, Any]:
    """One page of the caller's logins, newest first."""
    rows = await repo.families(session, by.id, page)
    results = [{**row, "is_current": row["id"] == by.session_id} for row in rows]
    return page.page(results, key=lambda row: (row["created_at"], row["id"]))


async def end_session(session: Session, identity: Identity, by: Caller, session_id: UUID) -> None:
    """End one login of the caller's, also the one they speak through. Raises `NotFound`."""
    user = await users_repo.locked_user(session, by.id)
    ended = await repo.end_families(session, repo.of(by.id), repo.one(session_id))
    if user is None or not ended:
        raise NotFound("You have no such login.")
    identity.tell_revoked(session, user, ended)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
