"""Pictures as files in a folder, which all instances of the service share."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from services.catalog.storage import checked
from shared.errors import Unavailable

T = TypeVar("T")

log = structlog.get_logger("catalog")


class FolderStorage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, content: bytes) -> None:
        await _off_the_loop(self._put, self._folder / checked(key), content)

    async def read(self, key: str) -> bytes | None:
        return await _off_the_loop(self._read, self._folder / checked(key))

    async def delete(self, key: str) -> None:
        await _off_the_loop(self._delete, self._folder / checked(key))

    def _put(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _unfinished(path).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _unfinished(path).replace(path)
        _sync(path.parent)

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        _unfinished(path).unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_suffix(".part")


def _sync(folder: Path) -> None:
    """A new name, too, must outlive a power cut: its row in the database does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _off_the_loop(work: Callable[..., T], *values: object) -> T:
    try:
        return await asyncio.to_thread(work, *values)
    except OSError as error:
        log.warning("media_dir_fails", error=repr(error))
        raise Unavailable("Pictures can't be reached for the moment.") from error
