"""How many users were here of late: HyperLogLog (Flajolet et al., 2007), so that any number takes the same memory."""

import math
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from shared.observability.metrics import ACTIVE_USERS

_INDEX_BITS: Final = 12
_REGISTERS: Final = 2**_INDEX_BITS
_REST_BITS: Final = 64 - _INDEX_BITS
_ALPHA: Final = 0.7213 / (1 + 1.079 / _REGISTERS)
WINDOWS: Final = {"5m": (60, 5), "24h": (3600, 24)}
"""Seconds of a slot, and slots of a window, beside the one that has begun."""


class ActiveUsers:
    """Of this gateway, since it started. The standard error is 1.6 %; of few it is nearly exact."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: dict[str, dict[int, bytearray]] = {window: {} for window in WINDOWS}

    def saw(self, user_id: str) -> None:
        digest = int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest())
        index, rest = digest >> _REST_BITS, digest & (2**_REST_BITS - 1)
        rank = _REST_BITS - rest.bit_length() + 1
        now = self._clock()
        for window, (length, kept) in WINDOWS.items():
            slots, slot = self._slots[window], int(now // length)
            registers = slots.get(slot)
            if registers is None:
                registers = slots[slot] = bytearray(_REGISTERS)
                for old in [old for old in slots if old < slot - kept]:
                    del slots[old]
            if registers[index] < rank:
                registers[index] = rank

    def count(self, window: str) -> int:
        length, kept = WINDOWS[window]
        first = int(self._clock() // length) - kept
        recent = [registers for slot, registers in self._slots[window].items() if slot >= first]
        return round(_estimate([max(ranks) for ranks in zip(*recent, strict=True)])) if recent else 0

    def export(self) -> None:
        """Have each scrape count."""
        for window in WINDOWS:
            ACTIVE_USERS.labels(window).set_function(lambda window=window: self.count(window))  # type: ignore[misc]


def _estimate(registers: list[int]) -> float:
    raw = _ALPHA * _REGISTERS**2 / sum(2.0**-rank for rank in registers)
    empty = registers.count(0)
    # Below 2.5 times the registers, how many of them are empty tells more.
    return _REGISTERS * math.log(_REGISTERS / empty) if raw <= 2.5 * _REGISTERS and empty else raw
