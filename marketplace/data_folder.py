"""What a `marketplace run` keeps in its data folder, for commands that work beside it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marketplace.errors import CannotStart
from marketplace.registry import SERVICES


class DataInUse(CannotStart):
    """A `marketplace run`, or a command that may not run beside one, has the folder."""


@contextmanager
def data_folder(data: Path) -> Iterator[None]:
    """The data folder, ours alone while this runs. Raises `CannotStart`."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("a+")
    except OSError as error:
        raise CannotStart(f"The data folder {data} can't be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise DataInUse(f"The database in {data} is open already, by process {lock.read().strip()}.") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def embedded_databases(data: Path) -> dict[str, str]:
    """Addresses of the databases of the `marketplace run` that has its data there. Raises `CannotStart`."""
    return {name: embedded_server(data, name) for name in SERVICES}


def embedded_server(data: Path, user: str) -> str:
    """The address of its server for one of the users, each of whom has a database of that name."""
    try:
        # PostgreSQL's own note of where it listens; asking the wheel would start one, and the lock is the run's.
        _, _, _, port, socket_folder, *_ = (data / "postgres" / "postmaster.pid").read_text().splitlines()
    except (OSError, ValueError):
        raise CannotStart(f"Nothing runs on the data in {data}: start `marketplace run` first.") from None
    return f"postgresql://{user}@/{user}?host={socket_folder}&port={port}"


def embedded_secrets(data: Path) -> dict[str, str]:
    """The secrets that the same `marketplace run` works with; the environment's come first. Raises `CannotStart`."""
    try:
        kept: dict[str, str] = json.loads((data / "secrets.json").read_text())
    except (OSError, ValueError):
        raise CannotStart(f"The secrets in {data} can't be read.") from None
    return {name: os.environ.get(name.upper(), value) for name, value in kept.items()}


PAUSES = {
    **dict.fromkeys(("relay_poll", "inbox_poll"), "5s"),
    **dict.fromkeys(("mail_poll", "index_every"), "10s"),
    **dict.fromkeys(("revocation_sweep", "socket_sweep", "expire_every", "timers_every"), "30s"),
}
"""Between looks for what another process has left, or a lost message has not told of. Here none is lost, and of other
processes there is the command line alone: so an idle system hardly wakes."""


def at_once() -> dict[str, dict[str, Any]]:
    """Of accounts alone: whom the command line bans, or which key it drops, must be known within a second."""
    return {"accounts": {"relay_poll": os.environ.get("RELAY_POLL", "500ms")}}


def embedded_settings(data: Path) -> dict[str, Any]:
    """What all services of the `marketplace run` on `data` have in common; the environment's come first."""
    return {
        **{name: os.environ.get(name.upper(), pause) for name, pause in PAUSES.items()},
        "env": os.environ.get("ENV", "development"),
        "mail_dir": os.environ.get("MAIL_DIR", str(data / "mails")),
        "media_dir": os.environ.get("MEDIA_DIR", str(data / "media")),
        **embedded_secrets(data),
    }
