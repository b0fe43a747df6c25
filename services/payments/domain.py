"""Rules of payments that need nothing but themselves."""

from enum import StrEnum


class Method(StrEnum):
    PAYME = "payme"
    CLICK = "click"
    CARD = "card"


class Status(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


ACTIVE = (Status.PENDING, Status.COMPLETED)
"""An order has at most one attempt in these states, whatever the method."""


SETTLED = ("completed", "cancelled")
"""States of an order in which nobody waits for its money any more."""


def is_payable(order_status: str) -> bool:
    return order_status != "cancelled"


def passes_luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def card_brand(number: str) -> str:
    """By the issuer's range; `card` where it is none that people here carry."""
    ranges = {"8600": "uzcard", "5614": "uzcard", "9860": "humo", "4": "visa", "5": "mastercard", "2": "mastercard"}
    return next((brand for prefix, brand in ranges.items() if number.startswith(prefix)), "card")
