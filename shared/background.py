"""What loops that run beside requests have in common."""

import asyncio


async def woken(work: asyncio.Event, within: float) -> bool:
    """Wait until there is work, at most so many seconds; returns whether there is."""
    try:
        async with asyncio.timeout(within):
            return await work.wait()
    except TimeoutError:
        return False
