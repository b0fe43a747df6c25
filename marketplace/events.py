"""What a person does to events from the command line: tell them again, look at dead letters and replay them."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from marketplace.beside import on_each
from marketplace.errors import CannotStart
from shared.config import Duration
from shared.db import Database
from shared.messaging.dead_letters import dead_letter, dead_letters, replay
from shared.messaging.republish import renew_inbox, republish

LIMIT = 100


def tell_again(data: Path, service: str | None, since: str) -> None:
    """After the broker lost what it held: everything that was published within `since`."""
    try:
        period: timedelta = TypeAdapter(Duration).validate_python(since)
    except ValidationError:
        raise CannotStart(f"--since {since} is no time: say 72h or 30m.", 2) from None
    _tell(data, service, lambda database: republish(database, period))


def tell_restored(data: Path, service: str | None) -> None:
    """After a restore and before services run."""
    _tell(data, service, tell_everything)


async def tell_everything(database: Database) -> int:
    """Tell everything that is kept, by the clock of the backup. Returns how many events that are."""
    await renew_inbox(database)
    return await republish(database)


def list_dead_letters(data: Path, service: str | None) -> None:
    """Print the oldest, up to a hundred a service."""
    for name, rows in on_each(data, service, lambda _, database, __: dead_letters(database, LIMIT + 1)).items():
        print(f"{name}: {len(rows[:LIMIT])} dead letters{', and more' * (len(rows) > LIMIT)}")
        for row in rows[:LIMIT]:
            print(
                f"{row.event_id}  {row.subscription}  {row.received_at:%Y-%m-%d %H:%M:%S}Z  tried {row.attempts} times"
            )
            print(f"    {row.error}")


def show_dead_letter(data: Path, service: str | None, event_id: UUID) -> None:
    """Raises `CannotStart` where nobody has it."""
    found = on_each(data, service, lambda _, database, __: dead_letter(database, event_id))
    rows = {name: row for name, row in found.items() if row}
    if not rows:
        raise CannotStart(f"There is no dead letter {event_id}.")
    for name, row in rows.items():
        print(f"{name}, tried {row.attempts} times: {row.error}")
        print(json.dumps(json.loads(row.envelope or "null"), indent=1, ensure_ascii=False))


def replay_dead_letters(data: Path, service: str | None, event_id: UUID | None) -> None:
    """Running services take them up within half a second. Raises `CannotStart` where nobody has the one."""
    replayed = on_each(data, service, lambda _, database, __: replay(database, event_id))
    if event_id and not any(replayed.values()):
        raise CannotStart(f"There is no dead letter {event_id}.")
    for name, count in replayed.items():
        print(f"{name}: {count} dead letters are tried again")


def _tell(data: Path, service: str | None, work: Callable[[Database], Awaitable[int]]) -> None:
    for name, count in on_each(data, service, lambda _, database, __: work(database)).items():
        print(f"{name}: {count} events are told again")
