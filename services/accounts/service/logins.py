"""Use cases of accounts."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from services.accounts.domain import DEMO_PASSWORD, REFRESH_GRACE, Language, Role, normalise_email, refresh_ends_at
from services.accounts.keys import Signer
from services.accounts.models import RefreshFamily, RefreshToken, User
from services.accounts.passwords import Passwords
from services.accounts.repo import logins as repo
from shared.contracts.accounts import UserRegistered, UserState
from shared.db import Session, release
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound, Unauthenticated, invalid_field
from shared.ids import new_id
from shared.messaging import outbox

log = structlog.get_logger()


@dataclass(frozen=True)
class Device:
    """Where a request comes from, as far as it says."""

    address: str | None
    agent: str | None

    def __str__(self) -> str:
        return f"{self.address} {self.agent}"


@dataclass(frozen=True)
class Login:
    """What a client holds after register, login or refresh."""

    user: User
    access: str
    refresh: str


@dataclass(frozen=True)
class Identity:
    """The parts that make and check credentials."""

    passwords: Passwords
    signer: Signer
    refresh_secret: bytes
    demo_password_allowed: bool

    def refuses(self, password: str) -> bool:
        """Production takes no login by the demo's password, whoever has brought demo data there."""
        return password == DEMO_PASSWORD and not self.demo_password_allowed


async def register(
    session: Session,
    identity: Identity,
    *,
    email: str,
    password: str,
    full_name: str,
    role: Role,
    phone: str | None = None,
    language: Language = Language.UZ,
) -> User:
    """A new user. Raises `Conflict` where the e-mail is taken, also by a registration at the same moment."""
    if identity.refuses(password):
        raise invalid_field("password", "This is the password of the demo: choose another.", "known")
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
    return user


async def log_in(session: Session, identity: Identity, *, email: str, password: str, device: Device) -> Login:
    """Raises `Unauthenticated`, in the same words and after the same work, whatever is wrong."""
    user = await repo.user_by_email(session, normalise_email(email))
    await release(session)  # hashing takes its time
    right = await identity.passwords.verify(password, user.password_hash if user else None)
    if user is None or not right or not user.is_active or identity.refuses(password):
        raise Unauthenticated("E-mail or password is wrong.", slug="wrong-credentials")
    return await begin_session(session, identity, user, device)


async def begin_session(session: Session, identity: Identity, user: User, device: Device) -> Login:
    """Log `user` in on `device`: a new family of refresh tokens, and its first access token."""
    now = utcnow()
    family = RefreshFamily(
        id=new_id(), user_id=user.id, address=device.address, agent=device.agent, created_at=now, last_used_at=now
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
    successor = _successor(token, identity.refresh_secret)
    if row.spent_at is None:
        row.spent_at, row.spent_by = now, str(device)
        ends_at = refresh_ends_at(now, family.created_at)
        session.add_all([row, RefreshToken(hash=_hash(successor), family_id=family.id, ends_at=ends_at)])
    elif now - row.spent_at > REFRESH_GRACE or row.spent_by != str(device):
        log.warning("refresh_token_reused", user_id=str(user.id), family_id=str(family.id))
        await repo.end_family(session, family.id, now)
        return None
    return Login(user, await identity.signer.access_token(user, family.id), successor)


async def log_out(session: Session, *, token: str) -> None:
    """End the family of the token. One that is unknown or ended already is as logged out as it can be."""
    if found := await repo.refresh_token_for_update(session, _hash(token)):
        _, family, _ = found
        await repo.end_family(session, family.id, utcnow())


async def me(session: Session, user_id: UUID) -> User:
    user = await repo.user(session, user_id)
    if user is None:
        raise NotFound("This account is no more.")
    return user


async def user_state(session: Session, user_id: UUID) -> UserState:
    """For the other services. Raises `NotFound`."""
    return UserState.model_validate(await me(session, user_id))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _successor(token: str, secret: bytes) -> str:
    # Derived and not random, so that the same token sent again gives the same answer without the answer being stored.
    digest = hmac.new(secret, token.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
