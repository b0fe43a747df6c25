"""Rules of catalog that need nothing but themselves."""

import re
import unicodedata
from collections.abc import Container, Mapping, Set
from decimal import Decimal
from enum import StrEnum
from itertools import count


class Status(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"
    HIDDEN = "hidden"
    ARCHIVED = "archived"


class Actor(StrEnum):
    """Who someone is to one service, which is not the same as their role."""

    WORKER = "worker"
    """Offers it."""
    ADMIN = "admin"


class Decision(StrEnum):
    """Of a moderator."""

    APPROVE = "approve"
    HIDE = "hide"


OUTCOMES: Mapping[Decision, Status] = {Decision.APPROVE: Status.ACTIVE, Decision.HIDE: Status.HIDDEN}

MOVES: Mapping[tuple[Status, Status], frozenset[Actor]] = {
    (Status.PENDING, Status.ACTIVE): frozenset({Actor.ADMIN}),
    (Status.PENDING, Status.HIDDEN): frozenset({Actor.ADMIN}),
    (Status.ACTIVE, Status.HIDDEN): frozenset({Actor.ADMIN}),
    (Status.HIDDEN, Status.ACTIVE): frozenset({Actor.ADMIN}),
    (Status.ACTIVE, Status.PENDING): frozenset({Actor.WORKER}),
    (Status.HIDDEN, Status.PENDING): frozenset({Actor.WORKER}),
    (Status.PENDING, Status.ARCHIVED): frozenset({Actor.WORKER, Actor.ADMIN}),
    (Status.ACTIVE, Status.ARCHIVED): frozenset({Actor.WORKER, Actor.ADMIN}),
    (Status.HIDDEN, Status.ARCHIVED): frozenset({Actor.WORKER, Actor.ADMIN}),
}
"""Who may take a service from one status to another: a worker never past a moderator. Nothing leaves the archive; the
erasure of an account, which nobody may refuse, archives whatever there is."""

JUDGED = frozenset({"title", "description", "category_id", "images"})
"""What moderators approve of."""


class MoveNotAllowed(Exception):
    """Names where the service stands and where it may go from there, by the hand that tried."""

    def __init__(self, status: Status, to: Status, allowed: list[Status]) -> None:
        super().__init__(f"A service that is {status} can't become {to} by you.")
        self.status, self.to, self.allowed = status, to, allowed


def check_move(status: Status, to: Status, actor: Actor) -> None:
    """Raise `MoveNotAllowed`, which names what is allowed, unless `actor` may move it from `status` to `to`."""
    allowed = [end for (start, end), who in MOVES.items() if start == status and actor in who]
    if to not in allowed:
        raise MoveNotAllowed(status, to, allowed)


def status_when_offered(*, moderated: bool) -> Status:
    """`moderated` is whether new services wait for a moderator."""
    return Status.PENDING if moderated else Status.ACTIVE


def status_when_edited(status: Status, actor: Actor, fields: Set[str], *, moderated: bool) -> Status:
    """Where a service stands once `actor` has changed these fields of it.

    What a worker makes of a hidden service a moderator sees again: it is the answer to the reason that they gave. Where
    new services are moderated, so are new words and pictures of approved ones, or approval would be worth nothing;
    another price, duration or city is no news to a moderator. What an admin writes needs no other admin.
    """
    again = status == Status.HIDDEN or (status == Status.ACTIVE and moderated and not JUDGED.isdisjoint(fields))
    return Status.PENDING if actor == Actor.WORKER and again else status


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


_LETTERS = str.maketrans(
    "абвгдезийклмнопрстуфыэўқғҳ",
    "abvgdeziyklmnoprstufyeoqgh",
    "ъьʻʼ‘’'`",  # the apostrophes are of Uzbek's Latin letters oʻ and gʻ, as they are typed
) | str.maketrans({"ё": "yo", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya"})
"""Russian and Uzbek in ASCII; letters that they share are read as Russian."""
SLUG_LENGTH = 80
"""Of one made from a name; a number may follow."""


def slug_of(name: str) -> str:
    """`"Go‘zallik"` → `"gozallik"`, `"Ремонт в доме"` → `"remont-v-dome"`."""
    read = unicodedata.normalize("NFC", name).casefold().translate(_LETTERS)
    ascii_only = unicodedata.normalize("NFKD", read).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", ascii_only.lower())[:SLUG_LENGTH].strip("-") or "category"


def free_slug(slug: str, taken: Container[str]) -> str:
    """The slug, or the first of `slug-2`, `slug-3`… that is not taken."""
    numbered = (f"{slug}-{number}" for number in count(2))
    return slug if slug not in taken else next(each for each in numbered if each not in taken)
