"""A process that dies in the middle of handling the event that it has told.

`python -m tests.adapters.dying DATABASES USER [RABBITMQ_URL]`: addresses by service and the user, in JSON.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

from sqlalchemy import text

from shared.contracts.accounts import UserRegistered, UserState
from shared.db import Session
from tests.adapters.platforms import running_platforms, tell_of

EXIT_CODE = 9


async def note(session: Session, user: UserState, name: str) -> None:
    values = {"id": user.id, "name": name}
    insert = "INSERT INTO workers (id, full_name, is_active, is_confirmed, version) VALUES (:id, :name, true, false, 1)"
    await session.exec(text(insert).bindparams(**values))


async def die(databases: Mapping[str, str], user: UserState, rabbitmq_url: str | None = None) -> None:
    async def handle(session: Session, event: UserRegistered) -> None:
        if event.user.id == user.id:
            await note(session, user, "by the one that died")
            os._exit(EXIT_CODE)

    async with running_platforms(databases, rabbitmq_url, catalog=handle) as running:
        await tell_of(running["accounts"], user)
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(die(json.loads(sys.argv[1]), UserState.model_validate_json(sys.argv[2]), *sys.argv[3:]))
