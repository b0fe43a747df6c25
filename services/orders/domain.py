"""The life of an order: which moves there are, and who may make them. Rules as data; one function uses them."""

import sys
from collections.abc import Mapping, Set
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum


class Status(StrEnum):
    PENDING = "pending"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


UNDER_WAY = (Status.ASSIGNED, Status.IN_PROGRESS)


class PaymentStatus(StrEnum):
    UNPAID = "unpaid"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


def payment_status(total: Decimal, paid: Decimal, refunded: Decimal) -> PaymentStatus:
    """Of an order of `total`, by what all its payments took and gave back together: one that was paid twice and got one
    of the two back is paid."""
    if paid == 0:
        return PaymentStatus.UNPAID
    if paid - refunded >= total:
        return PaymentStatus.PAID
    return PaymentStatus.PARTIALLY_REFUNDED if refunded < paid else PaymentStatus.REFUNDED


class DisputeStatus(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


class Actor(StrEnum):
    """Who someone is to one order, which is not the same as their role."""

    CLIENT = "client"
    """Ordered it."""
    OWNER = "owner"
    """Offers the service."""
    WORKER = "worker"
    """Was assigned to it."""
    ADMIN = "admin"
    SYSTEM = "system"
    """A timer, or the end of someone's account."""


MOVES: Mapping[tuple[Status, Status], frozenset[Actor]] = {
    (Status.PENDING, Status.ASSIGNED): frozenset({Actor.OWNER, Actor.ADMIN}),
    (Status.ASSIGNED, Status.PENDING): frozenset({Actor.WORKER, Actor.ADMIN}),
    (Status.PENDING, Status.CANCELLED): frozenset({Actor.CLIENT, Actor.OWNER, Actor.ADMIN, Actor.SYSTEM}),
    (Status.ASSIGNED, Status.CANCELLED): frozenset({Actor.CLIENT, Actor.ADMIN}),
    (Status.ASSIGNED, Status.IN_PROGRESS): frozenset({Actor.WORKER, Actor.ADMIN}),
    (Status.IN_PROGRESS, Status.COMPLETED): frozenset({Actor.WORKER, Actor.ADMIN}),
    (Status.IN_PROGRESS, Status.CANCELLED): frozenset({Actor.ADMIN}),
}


class MoveNotAllowed(Exception):
    """Names where the order stands and where it may go from there, by the hand that tried."""

    def __init__(self, status: Status, to: Status, allowed: list[Status]) -> None:
        super().__init__(f"An order that is {status} can't become {to} by you.")
        self.status, self.to, self.allowed = status, to, allowed


def accept_by(now: datetime, timeout: timedelta, scheduled_at: datetime | None) -> datetime:
    """Until when an order that becomes pending `now` waits for a worker: never longer than its appointment."""
    deadline = now + timeout
    return min(deadline, scheduled_at) if scheduled_at else deadline


def allowed_moves(status: Status, actors: Set[Actor]) -> list[Status]:
    """Where any of `actors` may take an order from `status`."""
    return [to for (start, to), who in MOVES.items() if start == status and who & actors]


def check_move(status: Status, to: Status, actors: Set[Actor]) -> None:
    """Raise `MoveNotAllowed`, which names what is allowed, unless one of `actors` may move it from `status` to `to`."""
    allowed = allowed_moves(status, actors)
    if to not in allowed:
        raise MoveNotAllowed(status, to, allowed)


def table_of_moves() -> str:
    """The moves as Markdown, one line each."""
    lines = [f"| {start} → {to} | {_listed(who)} |" for (start, to), who in MOVES.items()]
    return "\n".join(["| from → to | who |", "|---|---|", *lines])


def diagram_of_moves() -> str:
    """The moves as a state diagram of Mermaid."""
    moves = [f"    {start} --> {to}: {_listed(who)}" for (start, to), who in MOVES.items()]
    ends = [f"    {status} --> [*]" for status in Status if not any(start == status for start, _ in MOVES)]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Status.PENDING}: client", *moves, *ends])


def _listed(who: Set[Actor]) -> str:
    return ", ".join(actor for actor in Actor if actor in who)


def page_of_moves() -> str:
    """`docs/order-life.md`."""
    return f"""# The life of an order

Made from `MOVES` in `services/orders/domain.py`; edit that, and then

    python -m services.orders.domain > docs/order-life.md

```mermaid
{diagram_of_moves()}
```

{table_of_moves()}

**client** ordered it, **owner** offers the service, **worker** was assigned to it; the system is a timer, or the end of
someone's account. Each move is one line of the order's history and one event: `order.assigned` where a worker gets the
order, else `order.status_changed`. An order that has ended stays as it is.
"""


if __name__ == "__main__":
    sys.stdout.write(page_of_moves())
