"""The admin of a running system: of the demo, and of tests."""

from typing import Any

from marketplace.accounts import Admin, create_admin
from shared.errors import Conflict


async def ensure_admin(accounts: Any, *, email: str, password: str, full_name: str) -> None:
    """Make an admin through the state of a running accounts app; one that is there already stays as it is."""
    admin = Admin(email=email, password=password, full_name=full_name)
    try:
        async with accounts.platform.database.session() as session:
            await create_admin(session, accounts.identity, admin)
    except Conflict:
        pass
