"""Acknowledgements of a channel, many at once.

Each one alone costs the broker and this process as much as a hundred in one frame, by `multiple` of AMQP's basic.ack.
"""

import asyncio
from collections.abc import Awaitable, Callable


class Acknowledgements:
    """Of one channel. Deliveries are numbered from 1 on (AMQP 0-9-1, 4.4: `delivery-tag`), and each that is dealt with
    in whatever way has to be told of here: `multiple` reaches back over all before it.
    """

    def __init__(self, send: Callable[[int, bool], Awaitable[object]]) -> None:
        """`send(tag, multiple)` acknowledges that delivery, or all up to it."""
        self._send = send
        self._all_up_to = 0
        self._beyond: set[int] = set()
        """Dealt with, while one before them is not."""
        self._wanted: set[int] = set()
        self._sending: asyncio.Task[None] | None = None

    async def acknowledge(self, tag: int) -> None:
        """Have it acknowledged, with whatever else is at this moment. Raises what `send` does."""
        self._wanted.add(tag)
        self.settle(tag)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        await asyncio.shield(self._sending)

    def settle(self, tag: int) -> None:
        """It is dealt with, by this or by another way."""
        self._beyond.add(tag)
        while self._all_up_to + 1 in self._beyond:
            self._all_up_to += 1
            self._beyond.remove(self._all_up_to)

    async def _send_all(self) -> None:
        try:
            await asyncio.sleep(0)  # until all that ended together has said so
            while self._wanted:
                wanted, self._wanted = self._wanted, set()
                together = [tag for tag in wanted if tag <= self._all_up_to]
                if together:
                    await self._send(max(together), True)
                for tag in wanted.difference(together):
                    await self._send(tag, False)
        finally:
            self._sending = None
