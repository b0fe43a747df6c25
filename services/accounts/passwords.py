"""Password hashes: Argon2id (RFC 9106) off the event loop, a bounded number at once."""

import asyncio
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from shared.errors import Unavailable

THREADS = 2
QUEUE = 32
"""How many requests that hash may be under way beside those; more are refused, so that a flood of logins starves
neither the service nor, by waiting in it, whoever forwards to it."""

T = TypeVar("T")


def is_common(password: str) -> bool:
    """Whether it is among the first that anyone would try, in whatever case or width of letters."""
    return _folded(password) in _common()


@cache
def _common() -> frozenset[str]:
    # Of Royce Williams's 20,000 commonest passwords of Pwned Passwords, those that are long enough to be chosen here:
    # https://gist.github.com/roycewilliams/226886fd01572964e1431ac8afc999ce
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(map(_folded, text.splitlines()))


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password).casefold()


class Passwords:
    def __init__(self) -> None:
        # 19 MiB, 2 passes, 1 lane: the OWASP cheat sheet's first choice for Argon2id.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._pool = ThreadPoolExecutor(THREADS, "argon2")
        self._under_way = 0
        self._of_nobody = self._hasher.hash("the password of nobody")

    @contextmanager
    def room(self) -> Iterator[None]:
        """A place for one request that hashes, from its begin to its end. Raise `Unavailable` where all are taken."""
        if self._under_way >= THREADS + QUEUE:
            raise Unavailable("Too many logins at once; please try again in a moment.")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def hash(self, password: str) -> str:
        return await self._run(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the one; with None the same work is done for nothing, so that time tells nothing either."""
        return await self._run(self._verify, password, stored or self._of_nobody) and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether it was hashed at another cost than new ones are: to be replaced once its password is known."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *values: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *values)
