"""What a person does to accounts from the command line: admins, bans, roles, signing keys.

Works on the database, beside running services or without; they follow within a second.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, EmailStr, ValidationError

from marketplace.beside import on_each
from marketplace.errors import CannotStart, in_one_line
from services.accounts.app import new_identity
from services.accounts.config import AccountsSettings
from services.accounts.domain import Role
from services.accounts.schemas.users import Password
from services.accounts.service import logins, users
from services.accounts.service.identity import Identity
from shared.db import Database, Session
from shared.errors import Invalid
from shared.http.pagination import PageRequest
from shared.http.types import Line

LIMIT = 100
COMMAND_LINE = "the command line"

Work = Callable[[Session, Identity], Awaitable[Any]]


class Admin(BaseModel):
    email: EmailStr
    password: Password
    full_name: Line


async def create_admin(session: Session, identity: Identity, admin: Admin) -> None:
    """Admins are never made over the API. Raises `Conflict` where the e-mail is taken."""
    fields = admin.model_dump()
    await logins.register(session, identity, role=Role.ADMIN, **fields)


def make_admin(data: Path, email: str, full_name: str, password: str) -> None:
    try:
        admin = Admin(email=email, password=password, full_name=full_name)
    except ValidationError as error:
        raise CannotStart(in_one_line(error), 2) from None
    _do(data, lambda session, identity: create_admin(session, identity, admin))
    print(f"{admin.email} is an admin.")


def list_users(data: Path, role: Role | None, search: str | None, active: bool | None) -> None:
    """Print the newest users that meet the conditions, up to a hundred."""

    async def find(session: Session, _: Identity) -> Any:
        page = PageRequest(limit=LIMIT, cursor=None, path="", query={})
        return await users.find_users(session, page, role=role, active=active, search=search)

    found = _do(data, find)
    for user in found[:LIMIT]:
        standing = "active" if user["is_active"] else "banned"
        print(f"{user['id']}  {user['role']:<6}  {standing:<6}  {user['email']}  {user['full_name']}")
    if len(found) > LIMIT:
        print(f"… and more: narrow it by --role, --search, --active or --banned (the newest {LIMIT} are shown)")


def change_user(data: Path, email: str, **values: Any) -> None:
    """Ban, let back in, or give another role; what that ends is told to every service."""

    async def change(session: Session, identity: Identity) -> None:
        user = await users.locked_user_of(session, email)
        await users.change(session, identity, user, values, by=COMMAND_LINE)

    _do(data, change)
    print(f"{email}: {', '.join(f'{name} = {value}' for name, value in values.items())}")


def rotate_keys(data: Path, *, now: bool) -> None:
    """Add a signing key; with `now`, drop those before it at once."""

    async def rotate(session: Session, identity: Identity) -> str:
        signer = identity.signer
        return await (signer.replace(session) if now else signer.rotate(session))

    kid = _do(data, rotate)
    print(
        f"{kid} " + ("signs now; the keys before it are dropped." if now else "is published; it signs after KEY_LEAD.")
    )


def _do(data: Path, work: Work) -> Any:
    """The work's result, in one transaction on accounts' database. Raises `CannotStart` with what stood against it."""

    async def run(_: str, database: Database, settings: AccountsSettings) -> Any:
        try:
            async with database.session() as session:
                return await work(session, new_identity(settings, database))
        except Invalid as error:
            raise CannotStart("; ".join(f"{e['field']}: {e['message']}" for e in error.members["errors"])) from None

    return on_each(data, "accounts", run)["accounts"]
