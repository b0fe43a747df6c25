"""Backups: the databases of one moment, then the files, in a folder that nobody else can read."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace.basebackup import OPTIONS, Damaged, verify
from marketplace.data_folder import DataInUse, data_folder, embedded_server, embedded_settings
from marketplace.errors import CannotStart
from marketplace.events import tell_restored
from marketplace.registry import SERVICES
from shared.db.migrations import upgrade

DATABASES = "postgres.tar.gz"
FOLDERS = {"media": "media_dir", "mails": "mail_dir"}
"""Of files, by the setting that says where they are."""
DEMO_DATA = "demo-data.json"
"""That the demo data is in, so that it is not put in twice."""
SECRETS = "secrets.json"


def back_up_server(to: Path, url: str) -> None:
    """The databases alone, of a server whose superuser, or one who may replicate, `url` names. Raises `CannotStart`."""
    with _new_folder(to) as folder:
        _save_databases(folder, url)
    print(f"Saved and verified: {to}. NOT inside: pictures, secrets.")


def back_up(to: Path, data: Path, *, secrets: bool) -> None:
    """All of the `marketplace run` on `data`, whether it runs or not. Raises `CannotStart`."""
    from marketplace.postgres import EmbeddedPostgres

    if not (data / "postgres" / "PG_VERSION").exists():
        raise CannotStart(f"There is no database in {data}.")
    with _new_folder(to) as folder:
        try:
            with data_folder(data):
                postgres = EmbeddedPostgres(data / "postgres")
                try:
                    _save_databases(folder, postgres.url("postgres"))
                finally:
                    postgres.stop()
        except DataInUse:
            _save_databases(folder, embedded_server(data, "postgres"))
        # After the rows, so that whatever a row names is there.
        settings = embedded_settings(data)
        for name, setting in FOLDERS.items():
            if (files := Path(settings[setting])).is_dir():
                _save_files(files, folder / f"{name}.tar.gz", name)
        for name in (DEMO_DATA, *([SECRETS] if secrets else [])):
            if (data / name).exists():
                shutil.copy2(data / name, folder)
    print(f"Saved and verified: {to}")
    if secrets:
        print(f"{SECRETS} is inside: whoever has this backup has the system.")
    else:
        print(f"NOT inside is {data / SECRETS}, which restoring needs. Keep a copy of it elsewhere, or say --secrets.")


def restore(source: Path, data: Path) -> None:
    """Bring the backup back into a folder that holds no data yet, ready for `marketplace run`. Raises `CannotStart`."""
    from marketplace.postgres import EmbeddedPostgres, let_server_own

    _verify(source / DATABASES)
    with data_folder(data):
        for name in ("postgres", *FOLDERS):
            if (data / name).exists():
                raise CannotStart(f"There is data in {data} already: restore into a folder without {name}/.")
        if not (source / SECRETS).exists() and not (data / SECRETS).exists():
            line = f"The backup holds no {SECRETS}: put the one that the system had into {data} first."
            raise CannotStart(line)
        # Under another name until it is whole: what breaks off here must not be started.
        unfinished = data / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        _unpack(source / DATABASES, unfinished)
        let_server_own(unfinished)
        unfinished.rename(data / "postgres")
        for name in FOLDERS:
            if (archive := source / f"{name}.tar.gz").exists():
                _unpack(archive, data)
        for name in (DEMO_DATA, SECRETS):
            if (source / name).exists() and not (data / name).exists():
                shutil.copy2(source / name, data)
        postgres = EmbeddedPostgres(data / "postgres")
        try:
            for service in SERVICES:
                upgrade(service, postgres.url(service, user=service))
            tell_restored(data, None)
        finally:
            postgres.stop()
    print(f"Restored. Start it: marketplace run --data {data}")


@contextmanager
def _new_folder(to: Path) -> Iterator[Path]:
    """The folder, under another name until all is in it, so that what breaks off is never taken for a backup."""
    if to.exists():
        raise CannotStart(f"{to} is there already: a backup takes a new folder.")
    unfinished = to.with_name(f"{to.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    yield unfinished
    unfinished.rename(to)


def _save_databases(folder: Path, url: str) -> None:
    archive = folder / DATABASES
    login = conninfo_to_dict(url)
    password = {"PGPASSWORD": str(login.pop("password"))} if "password" in login else {}  # `ps` would show it
    command = [_program(), "-d", make_conninfo("", **login), *OPTIONS]
    with archive.open("wb") as file:
        saved = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, env={**os.environ, **password})
    if saved.returncode:
        raise CannotStart(f"The databases could not be saved: {saved.stderr.decode(errors='replace').strip()}")
    _verify(archive)


def _save_files(files: Path, archive: Path, name: str) -> None:
    """All files of the folder, under a folder called `name`."""
    with tarfile.open(archive, "w:gz") as tar:
        for path in (files, *sorted(files.rglob("*"))):
            with suppress(FileNotFoundError):  # a picture that was deleted meanwhile
                tar.add(path, name / path.relative_to(files), recursive=False)


def _program() -> str:
    """`pg_basebackup` of the embedded mode, where it is installed, else the path's; it may be newer than the server."""
    try:
        from marketplace.postgres import PROGRAMS
    except ModuleNotFoundError:
        found = shutil.which("pg_basebackup")
        if not found:
            raise CannotStart("pg_basebackup is missing: install PostgreSQL's client programs.") from None
        return found
    return str(PROGRAMS / "pg_basebackup")


def _verify(archive: Path) -> None:
    try:
        verify(archive)
    except Damaged as damage:
        raise CannotStart(f"{archive} is damaged: {damage}") from None


def _unpack(archive: Path, folder: Path) -> None:
    # As whoever restores, whoever it was that saved.
    unpacked = subprocess.run(["tar", "-xzof", archive, "-C", folder], stderr=subprocess.PIPE)
    if unpacked.returncode:
        raise CannotStart(f"{archive} can't be unpacked: {unpacked.stderr.decode(errors='replace').strip()}")
