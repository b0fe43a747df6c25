"""A TCP proxy between two of our processes, which can spoil what passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from tests.support.process import free_port

LATENCY, DRIP, DRIP_EVERY = 0.15, 256, 0.01
"""Seconds that each piece is late; bytes of a drop, and the seconds between two."""


class Spoilt(StrEnum):
    LATENCY = "latency"
    DRIP = "drip"
    SWALLOW = "swallow"
    """What is sent never arrives, and both sides take the connection for alive."""
    RESET = "reset"
    """Connections end at once, old and new ones."""


class Proxy:
    """Carries connections from `port` of 127.0.0.1 to `target`, a port of it too."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._how: Spoilt | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._holed: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            _abort(self._pairs)

    @asynccontextmanager
    async def spoilt(self, how: Spoilt) -> AsyncIterator[None]:
        """Spoil all that passes, for a while. A connection that lost something does not come back to life."""
        self._how = how
        if how is Spoilt.RESET:
            _abort(self._pairs)
        try:
            yield
        finally:
            self._how = None
            _abort(self._holed)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._how is Spoilt.RESET:
            return writer.transport.abort()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return writer.transport.abort()
        pair = (writer, far_writer)
        self._pairs.add(pair)
        try:
            there = asyncio.create_task(self._pump(reader, far_writer, pair))
            await self._pump(far_reader, writer, pair)
            await there
        finally:
            self._pairs.discard(pair)
            self._holed.discard(pair)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._how is Spoilt.SWALLOW or pair in self._holed:
                    self._holed.add(pair)
                    continue
                if self._how is Spoilt.LATENCY:
                    await asyncio.sleep(LATENCY)
                while self._how is Spoilt.DRIP and data:
                    drop, data = data[:DRIP], data[DRIP:]
                    writer.write(drop)
                    await asyncio.sleep(DRIP_EVERY)
                writer.write(data)
                await writer.drain()
        # One side has gone: so the other hears of it, whatever it still wanted to say.
        for each in pair:
            each.close()


def _abort(pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]]) -> None:
    for pair in [*pairs]:
        for writer in pair:
            writer.transport.abort()
