"""Rules of catalog that need nothing but themselves."""

from decimal import Decimal
from enum import StrEnum


class Status(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"
    HIDDEN = "hidden"
    ARCHIVED = "archived"


ERASED_TITLE = "—"
"""Of a service whose worker was erased."""


class PriceType(StrEnum):
    FIXED = "fixed"
    HOURLY = "hourly"


class Order(StrEnum):
    """The orderings of a list of services; `-` is descending."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    CHEAPEST = "price"
    DEAREST = "-price"
    WORST = "rating"
    BEST = "-rating"
    NEAREST = "distance"
    RELEVANCE = "relevance"

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a row of a list: what it is ordered by, ties included."""
        if self == Order.RELEVANCE:
            return ("relevance", "score", "id")
        return ("metres" if self == Order.NEAREST else self.removeprefix("-"), "id")

    @property
    def descending(self) -> bool:
        return self == Order.RELEVANCE or self.startswith("-")


PRICE_BANDS = tuple(map(Decimal, ("50000.00", "100000.00", "250000.00", "500000.00", "1000000.00")))
"""Where each price band but the first begins, in UZS."""
SMALLEST_PRICE = Decimal("0.01")


def price_band(number: int) -> tuple[Decimal | None, Decimal | None]:
    """The lowest and the highest price of a band, counted from 0: both in it, as `min_price` and `max_price` are."""
    lowest = PRICE_BANDS[number - 1] if number > 0 else None
    highest = PRICE_BANDS[number] - SMALLEST_PRICE if number < len(PRICE_BANDS) else None
    return lowest, highest
