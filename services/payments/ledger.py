"""Double entry: every movement of money takes from accounts (negative) what it gives to others (positive).

An account is a kind and, for most kinds, an owner:

- `clearing:<provider>`: minus what the provider has taken for us and not sent back;
- `escrow` of an order: the client's money that waits for the work to be done;
- `refunds_due` of a refund: promised to the client, not yet sent back by the provider;
- `worker` of a worker: what we owe them; below zero it is what they owe us;
- `commission`: ours;
- `payouts`: what workers were paid out.

| what happens | from | to |
|---|---|---|
| payment | clearing | escrow |
| duplicate: an order is paid twice | clearing | refunds_due, as its refund is opened with it |
| refund opened before the release | escrow | refunds_due |
| refund opened after the release | what is in escrow again, then worker and commission, pro rata | refunds_due |
| refund completed | refunds_due | clearing |
| refund failed | refunds_due | whence it came |
| release | escrow | worker, commission |
| payout | worker | payouts |

So of each order: captured - refunded = escrow + refunds_due + worker + commission.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

ZERO = Decimal("0.00")
CENT = Decimal("0.01")


class Kind(StrEnum):
    """Of a transaction."""

    PAYMENT = "payment"
    DUPLICATE = "duplicate"
    REFUND_OPENED = "refund_opened"
    REFUND_COMPLETED = "refund_completed"
    REFUND_FAILED = "refund_failed"
    RELEASE = "release"
    PAYOUT = "payout"


ESCROW, REFUNDS_DUE, WORKER, COMMISSION, PAYOUTS = "escrow", "refunds_due", "worker", "commission", "payouts"


def clearing(provider: str) -> str:
    return f"clearing:{provider}"


class Entry(NamedTuple):
    account: str
    owner_id: UUID | None
    amount: Decimal


@dataclass(frozen=True)
class Standing:
    """Where the money of one order is, promised refunds aside."""

    escrow: Decimal = ZERO
    worker_id: UUID | None = None
    """Who got the released part."""
    worker: Decimal = ZERO
    commission: Decimal = ZERO


def commission(amount: Decimal, rate: Decimal) -> Decimal:
    """Our part of `amount`: whole cents, half up."""
    return (amount * rate).quantize(CENT, ROUND_HALF_UP)


def captured(provider: str, order_id: UUID, amount: Decimal) -> list[Entry]:
    return [Entry(clearing(provider), None, -amount), Entry(ESCROW, order_id, amount)]


def captured_twice(provider: str, refund_id: UUID, amount: Decimal) -> list[Entry]:
    return [Entry(clearing(provider), None, -amount), Entry(REFUNDS_DUE, refund_id, amount)]


def refund_opened(order_id: UUID, refund_id: UUID, amount: Decimal, standing: Standing) -> list[Entry]:
    """Out of escrow as far as that goes; the rest from worker and commission in the proportion in which they hold it,
    where the worker bears what rounding leaves. Raises `ValueError` for more than the order has."""
    from_escrow = min(amount, standing.escrow)
    rest, released = amount - from_escrow, standing.worker + standing.commission
    if rest > released:
        raise ValueError(f"{amount} is more than the order has")
    ours = commission(rest, standing.commission / released) if released else ZERO
    # Rounding must not take a cent that one of the two does not have of this order.
    ours = min(max(ours, rest - standing.worker), standing.commission)
    return _moved(
        Entry(ESCROW, order_id, -from_escrow),
        Entry(WORKER, standing.worker_id, ours - rest),
        Entry(COMMISSION, None, -ours),
        Entry(REFUNDS_DUE, refund_id, amount),
    )


def refund_completed(provider: str, refund_id: UUID, amount: Decimal) -> list[Entry]:
    return [Entry(REFUNDS_DUE, refund_id, -amount), Entry(clearing(provider), None, amount)]


def reversed_entries(entries: Iterable[Entry]) -> list[Entry]:
    return [entry._replace(amount=-entry.amount) for entry in entries]


def released(order_id: UUID, worker_id: UUID, amount: Decimal, rate: Decimal) -> list[Entry]:
    """`rate` is the commission's that the payment was opened under."""
    ours = commission(amount, rate)
    return _moved(
        Entry(ESCROW, order_id, -amount), Entry(WORKER, worker_id, amount - ours), Entry(COMMISSION, None, ours)
    )


def paid_out(worker_id: UUID, amount: Decimal) -> list[Entry]:
    return [Entry(WORKER, worker_id, -amount), Entry(PAYOUTS, None, amount)]


def _moved(*entries: Entry) -> list[Entry]:
    return [entry for entry in entries if entry.amount]
