"""Who hears what, by which channel."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class Type(StrEnum):
    ORDER_CREATED = "order_created"
    ORDER_ASSIGNED = "order_assigned"
    ORDER_STATUS_CHANGED = "order_status_changed"
    PAYMENT_SUCCESS = "payment_success"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REFUNDED = "payment_refunded"
    ORDER_DISPUTED = "order_disputed"
    ORDER_DISPUTE_RESOLVED = "order_dispute_resolved"


class Channel(StrEnum):
    LIVE = "live"
    """The inbox and the sockets."""
    EMAIL = "email"


SwitchedOff = Mapping[str, Sequence[str]]
"""Type → channels by which a user does not want it. What is not named is on, so that nobody misses a new type."""


def is_on(off: SwitchedOff, kind: Type, channel: Channel) -> bool:
    return channel not in off.get(kind, ())


class MailPace(NamedTuple):
    """How long news wait for more before a mail tells of them, and how long at least for the mail before to be past."""

    delay: timedelta
    interval: timedelta


class MailKind(StrEnum):
    """What the one-time link in a mail is for."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name, no secret
    CONFIRM_EMAIL = "confirm_email"


class CloseCode:
    """Why the server closes a WebSocket (RFC 6455 leaves 4000 to 4999 to applications)."""

    UNAUTHENTICATED = 4401
    TOO_SLOW = 4408
    TOO_MANY = 4429
    TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013


class Pace:
    """Of one client's messages: so many in each second, from the first one on."""

    __slots__ = ("_began", "_count", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._began, self._count = float("-inf"), 0

    def allows(self, now: float) -> bool:
        """Whether another message may come; `now` in seconds."""
        if now - self._began >= 1:
            self._began, self._count = now, 0
        self._count += 1
        return self._count <= self._limit
