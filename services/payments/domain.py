"""Rules of payments that need nothing but themselves."""

import re
from collections.abc import Mapping
from enum import StrEnum


class Method(StrEnum):
    PAYME = "payme"
    CLICK = "click"
    CARD = "card"


class Gateway(StrEnum):
    """Whether money really moves."""

    FAKE = "fake"
    LIVE = "live"


class Status(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    # Money that a provider took all the same is money: what was given up or had failed is captured nevertheless.
    Status.FAILED: frozenset({Status.COMPLETED}),
    Status.CANCELLED: frozenset({Status.COMPLETED}),
    Status.COMPLETED: frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.PARTIALLY_REFUNDED: frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.REFUNDED: frozenset(),
}

HOLDING = (Status.COMPLETED, Status.PARTIALLY_REFUNDED)
"""Something of the client's money is with us."""
ACTIVE = (Status.PENDING, *HOLDING)
"""An order has at most one attempt in these states, whatever the method; a duplicate does not count."""


class MoveNotAllowed(Exception):
    """A bug, never a client's doing: use cases look at the status before they move."""

    def __init__(self, status: Status, to: Status) -> None:
        super().__init__(f"A payment that is {status} can't become {to}.")


def check_move(status: Status, to: Status) -> None:
    """Raise `MoveNotAllowed` unless a payment may go from `status` to `to`."""
    if to not in MOVES[status]:
        raise MoveNotAllowed(status, to)


class RefundStatus(StrEnum):
    PENDING = "pending"
    """The provider is asked, or will be."""
    MANUAL = "manual"
    """A person has to make it at the provider."""
    COMPLETED = "completed"
    FAILED = "failed"
    """The provider declined, and what was promised is back where it came from."""


PROMISED = (RefundStatus.PENDING, RefundStatus.MANUAL)
COUNTED = (*PROMISED, RefundStatus.COMPLETED)
"""Of these all together never pass what was paid."""


class Unpayable(StrEnum):
    """Why an order takes no payment."""

    PAID = "paid"
    CANCELLED = "cancelled"
    BUSY = "busy"
    """Another attempt is under way."""
    EARLY = "early"
    """No worker has accepted it, and payment waits for that."""


def unpayable(order_status: str, payable_from: str) -> Unpayable | None:
    """Why an order in this state can't be paid, if it can't. `payable_from` is `pending` or `assigned`."""
    if order_status == "cancelled":
        return Unpayable.CANCELLED
    return Unpayable.EARLY if order_status == "pending" and payable_from == "assigned" else None


def is_order_number(text: str) -> bool:
    """Whether it is written like one: what a payer typed may be anything."""
    return re.fullmatch(r"[0-9]{4}-[0-9]{1,18}", text) is not None


def card_brand(number: str) -> str:
    """By the issuer's range; `card` where it is none that people here carry."""
    ranges = {"8600": "uzcard", "5614": "uzcard", "9860": "humo", "4": "visa", "5": "mastercard", "2": "mastercard"}
    return next((brand for prefix, brand in ranges.items() if number.startswith(prefix)), "card")
