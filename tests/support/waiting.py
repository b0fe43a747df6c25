"""Wait for what happens soon, as long as it needs and no longer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], within: float = 20.0) -> T:
    """The first truthy value of `look`, asked again and again. Fails after `within` seconds with the last one."""
    deadline = time.monotonic() + within
    while not (value := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {within:g} s; the last look saw {value!r}")
        await asyncio.sleep(0.02)
    return value
