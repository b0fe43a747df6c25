"""Admins are never made over the API."""

from typing import Any

from services.accounts.domain import Role
from services.accounts.service import logins as service
from shared.errors import Conflict


async def create_admin(accounts: Any, *, email: str, password: str, full_name: str) -> None:
    """Make an admin through the state of a running accounts app; one that is there already stays as it is."""
    try:
        async with accounts.platform.database.session() as session:
            await service.register(
                session, accounts.identity, email=email, password=password, full_name=full_name, role=Role.ADMIN
            )
    except Conflict:
        pass
