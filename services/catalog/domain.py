"""Rules of catalog that need nothing but themselves."""

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
