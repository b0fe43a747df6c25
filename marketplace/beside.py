"""Work on the services' databases from the command line, beside running services or without."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from marketplace.data_folder import embedded_databases, embedded_settings
from marketplace.errors import CannotStart
from marketplace.registry import SERVICES, known, service_settings
from shared.config import ServiceSettings
from shared.db import Database
from shared.errors import MarketplaceError
from shared.observability.logging import configure_logging

T = TypeVar("T")
Work = Callable[[str, Database, Any], Awaitable[T]]
"""`await work(service, database, settings)`."""

NOBODY_TO_TELL = dict.fromkeys(("hand_over", "wake_timers", "wake_timers_if_due", "wake_refunds"), lambda *_: None)
"""Who would be told of a commit is in another process, and looks by itself."""


def is_deployed() -> bool:
    """Whether the environment is that of one service, as in its container."""
    return "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ


def settings_beside(data: Path, service: str | None = None) -> dict[str, ServiceSettings]:
    """Of the service at DATABASE_URL, as in its container; else of the `marketplace run` on `data`.

    Without a `service` it is the one that this installation holds, or all of `data`. Raises `CannotStart`.
    """
    if service:
        known(service)
    if is_deployed():
        name = service or _only_service()
        return {name: service_settings(name)}
    urls, common = embedded_databases(data), embedded_settings(data)
    names = (service,) if service else SERVICES
    return {name: service_settings(name, **common, database_url=urls[name]) for name in names}


def on_each(data: Path, service: str | None, work: Work[T]) -> dict[str, T]:
    """The work's results by service, on the databases of `settings_beside`. Raises `CannotStart` with what stood
    against it."""
    configure_logging(os.environ.get("LOG_LEVEL", "WARNING"), os.environ.get("LOG_FORMAT", "console"))
    everyone = settings_beside(data, service)

    async def run() -> dict[str, T]:
        return {name: await _on(name, settings, work) for name, settings in everyone.items()}

    try:
        return asyncio.run(run())
    except MarketplaceError as error:
        raise CannotStart(error.detail) from None


async def _on(name: str, settings: ServiceSettings, work: Work[T]) -> T:
    database = Database(settings)
    # Whoever runs finds by its polls what is written here.
    database.session_info |= {"service": name, **NOBODY_TO_TELL}
    try:
        return await work(name, database, settings)
    finally:
        await database.close()


def _only_service() -> str:
    here = [name for name in SERVICES if find_spec("services") and find_spec(f"services.{name}")]
    if len(here) != 1:
        raise CannotStart(f"Whose database is at DATABASE_URL? Name the service: {', '.join(here)}", 2)
    return here[0]
