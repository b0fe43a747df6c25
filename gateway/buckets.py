"""Token buckets, kept as one number each (GCRA; ITU-T I.371, annex A), in bounded memory."""

import math
import time
from collections.abc import Callable
from operator import itemgetter

WINDOW = 60
"""Seconds in which an empty bucket fills again."""
Clock = Callable[[], float]
"""Seconds, from any moment."""
CAPACITY = 2**16
"""Buckets of one policy that are remembered."""


class Buckets:
    """Of one policy: a bucket per key, which holds `quota` tokens and gets as many a minute.

    A bucket is remembered as the moment at which it will be full again, so a full one need not be. Where too many are
    not full, the quarter that has spent least is forgotten: to have one bucket forgotten, one must spend as much from
    `CAPACITY` others.
    """

    def __init__(self, policy: str, quota: int, *, clock: Clock = time.monotonic, capacity: int = CAPACITY) -> None:
        self.policy, self._interval = policy, WINDOW / quota
        self._clock, self._capacity = clock, capacity
        self._full_at: dict[str, float] = {}
        self.description = f'"{policy}";q={quota};w={WINDOW}'

    def wait(self, key: str) -> float:
        """Seconds until there is a token for `key`; 0 if there is one now."""
        missing = self._full_at.get(key, 0) - self._clock()
        # What adding up a quota's intervals rounds off must not cost the last token.
        return left if (left := missing + self._interval - WINDOW) > 1e-6 else 0

    def take(self, key: str) -> None:
        """A token, which must be there."""
        now = self._clock()
        full_at = max(now, self._full_at.get(key, 0))
        if full_at == now and len(self._full_at) >= self._capacity:
            self._make_room(now)
        self._full_at[key] = full_at + self._interval

    def state(self, key: str) -> str:
        """What is left, and the seconds until all is there again, as an item of the `RateLimit` field."""
        missing = max(0.0, self._full_at.get(key, 0) - self._clock())
        left = max(0, int((WINDOW - missing) / self._interval + 1e-6))
        return f'"{self.policy}";r={left};t={math.ceil(missing - 1e-6)}'

    def __len__(self) -> int:
        return len(self._full_at)

    def _make_room(self, now: float) -> None:
        spent = [item for item in self._full_at.items() if item[1] > now]
        if len(spent) > self._capacity * 3 // 4:
            spent = sorted(spent, key=itemgetter(1))[self._capacity // 4 :]
        self._full_at = dict(spent)
