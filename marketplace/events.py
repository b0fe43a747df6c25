"""What a person does to events from the command line: tell them again."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from marketplace.beside import on_each
from marketplace.errors import CannotStart
from shared.config import Duration
from shared.db import Database
from shared.messaging.republish import renew_inbox, republish


def tell_again(data: Path, service: str | None, since: str) -> None:
    """After the broker lost what it held: everything that was published within `since`."""
    try:
        period: timedelta = TypeAdapter(Duration).validate_python(since)
    except ValidationError:
        raise CannotStart(f"--since {since} is no time: say 72h or 30m.", 2) from None
    _tell(data, service, lambda database: republish(database, period))


def tell_restored(data: Path, service: str | None) -> None:
    """After a restore and before services run: everything that is kept, by the clock of the backup."""

    async def all_of(database: Database) -> int:
        await renew_inbox(database)
        return await republish(database)

    _tell(data, service, all_of)


def _tell(data: Path, service: str | None, work: Callable[[Database], Awaitable[int]]) -> None:
    for name, count in on_each(data, service, lambda _, database, __: work(database)).items():
        print(f"{name}: {count} events are told again")
