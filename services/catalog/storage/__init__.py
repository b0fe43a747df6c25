"""Where the files of pictures are kept: a small port, and one file a way."""

import re
from typing import Protocol

_KEY = re.compile(r"[a-z]+/[0-9a-f]{32}-[a-z]+\.webp")


class Storage(Protocol):
    """Keeps files by key. All raise `Unavailable` where that can't be done now, and `ValueError` for what is no key."""

    async def put(self, key: str, content: bytes) -> None:
        """Keep `content`: once this returns it is there as a whole, before it never in part."""

    async def read(self, key: str) -> bytes | None:
        """What is kept; None where nothing is."""

    async def delete(self, key: str) -> None:
        """Forget it, and whatever an interrupted `put` has left; no matter whether it is there."""


def checked(key: str) -> str:
    """Keys are of our own making, never of a client's: no other leads out of a folder."""
    if not _KEY.fullmatch(key):
        raise ValueError("no key of a picture")
    return key
