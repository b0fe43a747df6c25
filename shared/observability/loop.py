"""How busy the event loop is: what holds it up holds up everything in the process."""

import asyncio

from shared.observability.metrics import LOOP_LAG

EVERY = 1.0
"""Seconds."""


async def watch_loop() -> None:
    """Tell each second how late the loop is, until cancelled."""
    now = asyncio.get_running_loop().time
    while True:
        due = now() + EVERY
        await asyncio.sleep(EVERY)
        LOOP_LAG.observe(max(0.0, now() - due))
