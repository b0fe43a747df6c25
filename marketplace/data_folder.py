"""What a `marketplace run` keeps in its data folder, for commands that work beside it."""

import json
import os
from pathlib import Path

from marketplace.errors import CannotStart
from marketplace.registry import SERVICES


def embedded_databases(data: Path) -> dict[str, str]:
    """Addresses of the databases of the `marketplace run` that has its data there. Raises `CannotStart`."""
    try:
        # PostgreSQL's own note of where it listens; asking the wheel would start one, and the lock is the run's.
        _, _, _, port, socket_folder, *_ = (data / "postgres" / "postmaster.pid").read_text().splitlines()
    except (OSError, ValueError):
        raise CannotStart(f"Nothing runs on the data in {data}: start `marketplace run` first.") from None
    return {name: f"postgresql://{name}@/{name}?host={socket_folder}&port={port}" for name in SERVICES}


def embedded_secrets(data: Path) -> dict[str, str]:
    """The secrets that the same `marketplace run` works with; the environment's come first. Raises `CannotStart`."""
    try:
        kept: dict[str, str] = json.loads((data / "secrets.json").read_text())
    except (OSError, ValueError):
        raise CannotStart(f"The secrets in {data} can't be read.") from None
    return {name: os.environ.get(name.upper(), value) for name, value in kept.items()}
