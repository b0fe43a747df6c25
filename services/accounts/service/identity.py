"""What makes and checks credentials, and what use cases of logins have in common."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.accounts.domain import DEMO_PASSWORD, LINK_PAGES, Purpose
from services.accounts.keys import Signer
from services.accounts.models import User
from services.accounts.passwords import Passwords, is_common
from services.accounts.repo import logins as repo
from services.accounts.throttle import Throttle
from shared.auth.tokens import LEEWAY
from shared.contracts.accounts import SessionRevoked, UserState, UserUpdated
from shared.db import Session
from shared.db.base import utcnow
from shared.errors import invalid_field
from shared.messaging import outbox


@dataclass(frozen=True)
class Device:
    """Where a request comes from, as far as it says."""

    address: str | None
    agent: str | None

    def __str__(self) -> str:
        return f"{self.address} {self.agent}"


@dataclass(frozen=True)
class Identity:
    """The parts that make and check credentials."""

    passwords: Passwords
    signer: Signer
    throttle: Throttle
    refresh_secret: bytes
    public_url: str
    demo_password_allowed: bool

    def refuses(self, password: str) -> bool:
        """Production takes no login by the demo's password, whoever has brought demo data there."""
        return password == DEMO_PASSWORD and not self.demo_password_allowed

    def check_new_password(self, password: str, field: str) -> None:
        """Raise `Invalid` for a password that everybody would guess first."""
        if self.refuses(password):
            raise invalid_field(field, "This is the password of the demo: choose another.", "known")
        if is_common(password):
            raise invalid_field(field, "This is one of the commonest passwords: choose another.", "common")

    def successor(self, refresh: str) -> str:
        """The refresh token that follows on this one. Derived and not random, so that the same token sent again gives
        the same answer without the answer being stored."""
        return self._mac(b"refresh:" + refresh.encode())

    def link_token(self, link_id: UUID) -> str:
        """What the mailed link says; nothing of it is stored."""
        return f"{link_id}.{self._mac(b'link:' + link_id.bytes)}"

    def link_id(self, token: str) -> UUID | None:
        """The link that the token was made for; None for what we have not made."""
        try:
            link_id = UUID(token.partition(".")[0])
        except ValueError:
            return None
        return link_id if hmac.compare_digest(token.encode(), self.link_token(link_id).encode()) else None

    def link_url(self, link_id: UUID, purpose: Purpose) -> str:
        # In the fragment, which a browser sends to no server: the token stays out of logs and referrers.
        return f"{self.public_url.rstrip('/')}/{LINK_PAGES[purpose]}#token={self.link_token(link_id)}"

    def _mac(self, message: bytes) -> str:
        digest = hmac.new(self.refresh_secret, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def tell_revoked(self, session: Session, user: User, sids: list[UUID] | None) -> None:
        """Let every service refuse the access tokens of these sessions; None means all that are older than `user`."""
        if sids == []:
            return
        ends = utcnow() + timedelta(seconds=self.signer.ttl_seconds + LEEWAY)
        outbox.add(session, SessionRevoked(user_id=user.id, sids=sids, min_ver=user.version, expires_at=ends))


async def end_every_session(session: Session, identity: Identity, user: User) -> None:
    """End all logins of `user`, whose version has just risen: tokens of the version before stop working."""
    await repo.end_families(session, repo.of(user.id))
    identity.tell_revoked(session, user, None)


def tell_updated(session: Session, user: User) -> None:
    outbox.add(session, UserUpdated(user=UserState.model_validate(user)))
