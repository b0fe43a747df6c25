"""Users: who may see and change them, bans and roles."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import RowMapping

from services.accounts.domain import Role, normalise_email
from services.accounts.models import User
from services.accounts.repo import logins as logins_repo
from services.accounts.repo import users as repo
from services.accounts.service import workers
from services.accounts.service.identity import Identity, end_every_session, tell_updated
from shared.auth.users import User as Caller
from shared.contracts.accounts import UserState
from shared.db import Session
from shared.db.search import search_words
from shared.errors import Conflict, Forbidden, NotFound
from shared.http.pagination import PageRequest
from shared.http.preconditions import Precondition

log = structlog.get_logger()


async def visible_user(session: Session, user_id: UUID, by: Caller) -> User:
    """Everyone sees themselves, an admin everyone. Raises `NotFound`, also for strangers."""
    user = await repo.user(session, user_id) if by.is_admin or by.id == user_id else None
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def find_users(
    session: Session, page: PageRequest, *, role: Role | None, active: bool | None, search: str | None
) -> Sequence[RowMapping]:
    return await repo.users(session, page, role=role, active=active, words=search_words(search or ""))


async def edit(
    session: Session, identity: Identity, user_id: UUID, by: Caller, values: Mapping[str, Any], if_match: Precondition
) -> User:
    """Change a user's own fields; `is_active` only by an admin, who can't shut themselves out.

    Raises `NotFound`, `Forbidden`, `Conflict` and `PreconditionFailed`.
    """
    user = await repo.locked_user(session, user_id) if by.is_admin or by.id == user_id else None
    if user is None:
        raise NotFound("There is no such user.")
    if values.get("is_active", user.is_active) != user.is_active:
        if not by.is_admin:
            raise Forbidden("Only an admin opens or closes accounts.")
        if by.id == user_id:
            raise Conflict("This is your own account: another admin has to close it.", slug="own-account")
    if_match.check(user.version)
    return await change(session, identity, user, values, by=str(by.id))


async def change(session: Session, identity: Identity, user: User, values: Mapping[str, Any], *, by: str) -> User:
    """Write the values to a locked user, and tell. A ban or another role ends every login of theirs."""
    before = user.model_dump()
    if all(before[name] == value for name, value in values.items()):
        return user
    changed = await repo.change_user(session, user, **values)
    tell_updated(session, changed)
    if changed.role != before["role"] or (before["is_active"] and not changed.is_active):
        await end_every_session(session, identity, changed)
    if Role.WORKER in (changed.role, before["role"]):
        await workers.follow_user(session, changed)
    for name in ("is_active", "role"):
        if (value := getattr(changed, name)) != before[name]:
            log.info("user_changed", user_id=str(user.id), by=by, **{name: value})
    return changed


async def locked_user_of(session: Session, email: str) -> User:
    """By e-mail, for the command line. Raises `NotFound`."""
    found = await repo.user_by_email(session, normalise_email(email))
    user = await repo.locked_user(session, found.id) if found else None
    if user is None:
        raise NotFound(f"There is no user {email}.")
    return user


async def state(session: Session, user_id: UUID) -> UserState:
    """For the other services, which are told of erased ones too. Raises `NotFound`."""
    user = await session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return UserState.model_validate(user)


async def phone(session: Session, user_id: UUID) -> str | None:
    """Raises `NotFound`, also for who is erased."""
    user = await repo.user(session, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user.phone


async def mail_address(session: Session, user_id: UUID) -> dict[str, str]:
    """Raises `NotFound` where nobody should be written to: of a banned user, and while the address is not confirmed."""
    user = await repo.user(session, user_id)
    if user is None or not user.is_active or not user.email_confirmed:
        raise NotFound("There is no such address.")
    return {"email": user.email, "full_name": user.full_name, "language": user.language}


async def check_admin(session: Session, user_id: UUID, session_id: UUID) -> None:
    """Raise `NotFound` unless the user is an admin, may still be that, and is logged in by this session."""
    user = await repo.user(session, user_id)
    stands = user is not None and user.role == Role.ADMIN and user.is_active
    if not stands or not await logins_repo.family_lives(session, session_id, user_id):
        raise NotFound("There is no such admin any more.")
