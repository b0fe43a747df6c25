"""Passwords that are changed or forgotten, and addresses that are confirmed."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog

from services.accounts.domain import LINK_LIVES, Purpose, normalise_email
from services.accounts.models import OneTimeLink, User
from services.accounts.repo import logins as repo
from services.accounts.repo import users as users_repo
from services.accounts.service.identity import Device, Identity, end_every_session, tell_updated
from services.accounts.throttle import LINK_PER_ACCOUNT, account_key
from shared.auth.users import User as Caller
from shared.contracts.accounts import EmailConfirmationRequested, PasswordResetRequested
from shared.db import Session, release
from shared.db.base import utcnow
from shared.errors import Conflict, Forbidden, NotFound, TooManyRequests, Unauthenticated
from shared.ids import new_id
from shared.messaging import outbox

log = structlog.get_logger()


async def change_password(
    session: Session, identity: Identity, by: Caller, device: Device, *, current: str, new: str
) -> None:
    """Set a new password and end every other login. Raises `Forbidden` where the current one is wrong."""
    identity.check_new_password(new, "new_password")
    found = await users_repo.user(session, by.id)
    await release(session)
    if found is None:
        raise NotFound("This account is no more.")
    stored = found.password_hash  # as it was when it was verified: `found` is the very row that is read again below
    await identity.throttle.begin_login(found.email_key, device.address)
    if not await identity.passwords.verify(current, stored):
        raise Forbidden("The current password is wrong.", slug="wrong-password", title="Wrong password")
    await identity.throttle.login_succeeded(found.email_key, device.address)
    new_hash = await identity.passwords.hash(new)
    user = await users_repo.locked_user(session, by.id)
    if user is None or user.password_hash != stored:
        raise Conflict("The password was changed at the same moment.", slug="changed-meanwhile")
    user.password_hash = new_hash
    session.add(user)
    others = await repo.end_families(session, repo.of(user.id), ~repo.one(by.session_id))
    identity.tell_revoked(session, user, others)
    log.info("password_changed", user_id=str(user.id))


async def send_link(session: Session, purpose: Purpose, user: User | None) -> None:
    """Let a mail with a one-time link go out; without a user, do the same work for nobody."""
    link = OneTimeLink(
        id=new_id(), user_id=user.id if user else None, purpose=purpose, ends_at=utcnow() + LINK_LIVES[purpose]
    )
    session.add(link)
    event = PasswordResetRequested if purpose == Purpose.RESET_PASSWORD else EmailConfirmationRequested
    outbox.add(session, event(user_id=user.id if user else new_id(), request_id=link.id))


async def request_reset(session: Session, identity: Identity, *, email: str) -> None:
    """Mail a link that sets a new password, if the address is known; nobody learns whether it is."""
    email_key = normalise_email(email)
    with suppress(TooManyRequests):
        await identity.throttle.take(LINK_PER_ACCOUNT, account_key(email_key))
        user = await users_repo.user_by_email(session, email_key)
        await send_link(session, Purpose.RESET_PASSWORD, user if user and user.is_active else None)


async def confirm_reset(session: Session, identity: Identity, *, token: str, new: str) -> None:
    """Set a new password by a mailed link, and end every login. Raises `Unauthenticated` for a link that is no good."""
    identity.check_new_password(new, "new_password")
    link, _ = await _good_link(session, identity, token, Purpose.RESET_PASSWORD)
    await release(session)
    new_hash = await identity.passwords.hash(new)
    user = await _spend(session, link)
    was_confirmed = user.email_confirmed
    changed = await users_repo.change_user(
        session, user, password_hash=new_hash, email_confirmed_at=user.email_confirmed_at or utcnow()
    )
    await end_every_session(session, identity, changed)
    if not was_confirmed:
        tell_updated(session, changed)
    log.info("password_reset", user_id=str(user.id))


async def confirm_email(session: Session, identity: Identity, *, token: str) -> None:
    """Note that the address is its user's. Raises `Unauthenticated` for a link that is no good."""
    link, _ = await _good_link(session, identity, token, Purpose.CONFIRM_EMAIL)
    user = await _spend(session, link)
    changed = await users_repo.change_user(session, user, email_confirmed_at=utcnow())
    tell_updated(session, changed)


async def resend_confirmation(session: Session, identity: Identity, by: Caller) -> None:
    """Raises `Conflict` where the address is confirmed, `TooManyRequests`."""
    user = await users_repo.user(session, by.id)
    if user is None:
        raise NotFound("This account is no more.")
    if user.email_confirmed:
        raise Conflict("This e-mail is confirmed already.", slug="email-confirmed")
    await identity.throttle.take_within(session, LINK_PER_ACCOUNT, account_key(user.email_key))
    await send_link(session, Purpose.CONFIRM_EMAIL, user)


async def mail_of(session: Session, identity: Identity, link_id: UUID) -> dict[str, Any]:
    """What the mail of a link needs: for the service that sends it. Raises `NotFound` where none should be sent."""
    if (found := await repo.link(session, link_id)) is None:
        raise NotFound("There is no such link any more.")
    link, user = found
    return {
        "purpose": link.purpose,
        "email": user.email,
        "full_name": user.full_name,
        "language": user.language,
        "url": identity.link_url(link.id, Purpose(link.purpose)),
        "ends_at": link.ends_at,
    }


async def _good_link(session: Session, identity: Identity, token: str, purpose: Purpose) -> tuple[OneTimeLink, User]:
    link_id = identity.link_id(token)
    found = await repo.link(session, link_id) if link_id else None
    if found is None or found[0].purpose != purpose:
        raise _no_good()
    return found


async def _spend(session: Session, link: OneTimeLink) -> User:
    """The link's user, locked, with the link spent. Raises `Unauthenticated` where someone was quicker."""
    assert link.user_id is not None  # noqa: S101 - a decoy is never found
    user = await users_repo.locked_user(session, link.user_id)
    if user is None or not user.is_active or not await repo.use_link(session, link.id, user.id, Purpose(link.purpose)):
        raise _no_good()
    return user


def _no_good() -> Unauthenticated:
    return Unauthenticated("This link was used, has expired, or was never made.", slug="invalid-link")
