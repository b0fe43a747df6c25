"""Password hashes: Argon2id (RFC 9106) off the event loop, a bounded number at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from shared.errors import Unavailable

THREADS = 2
QUEUE = 32
"""How many may wait for a thread; more are refused, so that a flood of logins does not starve the service."""

T = TypeVar("T")


class Passwords:
    def __init__(self) -> None:
        # 19 MiB, 2 passes, 1 lane: the OWASP cheat sheet's first choice for Argon2id.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._pool = ThreadPoolExecutor(THREADS, "argon2")
        self._under_way = 0
        self._of_nobody = self._hasher.hash("the password of nobody")

    async def hash(self, password: str) -> str:
        """Raise `Unavailable` where too many wait already."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the one; with None the same work is done for nothing, so that time tells nothing either."""
        return await self._run(self._verify, password, stored or self._of_nobody) and stored is not None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *values: str) -> T:
        if self._under_way >= THREADS + QUEUE:
            raise Unavailable("Too many logins at once; please try again in a moment.")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *values)
        finally:
            self._under_way -= 1
