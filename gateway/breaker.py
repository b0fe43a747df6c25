"""A circuit breaker: who fails again and again is left alone for a while, and then tried with one request."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class BreakerSettings:
    """How many failures in a row open it, and for how many seconds; each failed probe doubles them, to `pause_max`."""

    failures: int
    pause: float
    pause_max: float


class Breaker:
    """Of one instance of a service. Every `begin()` is followed by one of `succeeded`, `failed`, `abandoned`."""

    def __init__(self, settings: BreakerSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._now = settings, now
        self._failures = 0
        self._pause = settings.pause
        self._tried_at = self._rests_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether nothing may be begun: while it pauses, and while the one probe after a pause is out."""
        return self._has_opened and (self._probing or self._now() < self._tried_at)

    @property
    def rests(self) -> bool:
        """Whether it failed a moment ago, so that another instance is the better choice."""
        return self._failures > 0 and self._now() < self._rests_until

    @property
    def tried_in(self) -> float:
        """Seconds until something may be begun."""
        return max(0.0, self._tried_at - self._now())

    def begin(self) -> bool:
        """To be asked only while it is not open. Returns whether this is the probe, for the verdict on it."""
        self._probing = self._has_opened
        return self._probing

    def succeeded(self) -> None:
        self._failures, self._pause, self._probing = 0, self._settings.pause, False

    def failed(self, *, probe: bool) -> None:
        self._failures += 1
        self._rests_until = self._now() + min(self._settings.pause, 0.25 * 2 ** min(self._failures, 8))
        if probe:
            self._probing = False
            self._pause = min(self._pause * 2, self._settings.pause_max)
        # What was begun before it opened, and fails now, is no news.
        if probe or self._failures == self._settings.failures:
            self._tried_at = self._now() + self._pause

    def abandoned(self, *, probe: bool) -> None:
        """It was given up for a reason that tells nothing of the instance."""
        if probe:
            self._probing = False

    @property
    def _has_opened(self) -> bool:
        return self._failures >= self._settings.failures
