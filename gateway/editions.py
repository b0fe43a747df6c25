"""One question to a service that tells of all its public answers at once whether they are still right.

A cache that keeps thousands of them would ask about each, once a second: docs/adr/0033-editions.md.
"""

import asyncio
import time
from typing import Final

import structlog

from gateway.buckets import Clock
from gateway.upstream import NOT_HAD, Upstream

PATH: Final = b"/edition.json"
GOOD_FOR: Final = 1.0
"""Seconds for which an edition is taken to be the service's without asking: public answers have no longer either."""
PATIENCE: Final = 0.5

log = structlog.get_logger()


class Edition:
    """The edition that a service's public content is at: it is another one as soon as any of it has changed."""

    def __init__(self, upstream: Upstream, *, clock: Clock = time.monotonic) -> None:
        self._upstream, self._clock = upstream, clock
        self._said: object = None
        self._tried_at = self._confirmed_at = -GOOD_FOR
        self._asking: asyncio.Task[None] | None = None
        self.number = 0
        """Counts the editions, so that one that comes up again is another. Of an answer that is asked for now, it is
        the one that it is at least of."""

    async def confirmed_at(self) -> float | None:
        """When the service was asked that has last said which one it is; None where that is too long ago, and it
        can't say. Many who ask at once are one question."""
        if self._clock() - self._tried_at >= GOOD_FOR:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
            await asyncio.shield(self._asking)
        return self._confirmed_at if self._clock() - self._confirmed_at < GOOD_FOR else None

    async def _ask(self) -> None:
        asked_at = self._clock()
        try:
            async with asyncio.timeout(PATIENCE):
                said = (await self._upstream.said_at(PATH))["edition"]
        except (*NOT_HAD, TypeError, KeyError) as error:
            # Also of a release that has none: then each answer is asked about by itself.
            log.debug("edition_not_had", upstream=self._upstream.service, error=repr(error))
        else:
            if said != self._said:
                self._said, self.number = said, self.number + 1
            self._confirmed_at = asked_at
        finally:
            self._tried_at, self._asking = asked_at, None
