"""What Payme's calls do to a transaction, and what they are answered: a table, and functions of the stored row.

Every call may come twice, late or beside its own copy; the second answer equals the first, times included. So an
answer is made of what is stored and of nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

from services.payments.providers.payme import ACCOUNT_FIELD, PaymeAccount, to_tiyin
from services.payments.providers.payme.errors import Code, PaymeError
from services.payments.providers.payme.rpc import (
    CancelParams,
    CheckParams,
    CreateParams,
    OrderParams,
    Params,
    PerformParams,
)

LIFE = 43_200_000
"""Milliseconds (12 h) after Payme's own `time` in which a created transaction can be performed."""
TIMED_OUT = 4
"""The reason of a cancel by time."""

ALLOW: Mapping[str, Any] = {"allow": True}
FISCAL_DATA_KEPT: Mapping[str, Any] = {"success": True}


class State(IntEnum):
    CREATED = 1
    PERFORMED = 2
    CANCELLED = -1
    CANCELLED_AFTER_PERFORM = -2


@dataclass(frozen=True)
class PaymeTransaction:
    """A transaction of Payme's as we have stored it. Times are milliseconds, 0 where not yet."""

    id: str
    """Payme's."""
    time: int
    """Payme's clock at the creation: the 12 hours count from here."""
    amount: int
    """Tiyin."""
    order_number: str
    create_time: int
    transaction: str
    """Our own id."""
    state: State = State.CREATED
    perform_time: int = 0
    cancel_time: int = 0
    reason: int | None = None
    receivers: tuple[Mapping[str, Any], ...] = field(default=())
    """How the payment is split among cash desks; empty where it is not."""

    def performed(self, now: int) -> "PaymeTransaction":
        return replace(self, state=State.PERFORMED, perform_time=now)

    def cancelled(self, now: int, reason: int) -> "PaymeTransaction":
        to = State.CANCELLED_AFTER_PERFORM if self.state is State.PERFORMED else State.CANCELLED
        return replace(self, state=to, cancel_time=now, reason=reason)

    def expired(self, now: int) -> "PaymeTransaction":
        return self.cancelled(now, TIMED_OUT)


class Standing(StrEnum):
    """How a transaction stands when a call finds it."""

    NONE = "none"
    TOO_LATE = "too-late"
    """None, and the 12 hours of the one that is to be created are over: it would hold its order and never be paid."""
    CREATED = "created"
    STALE = "stale"
    """Created, but its 12 hours are over."""
    PERFORMED = "performed"
    CANCELLED = "cancelled"


class Do(StrEnum):
    OPEN = "open"
    """Check the order (`check_order`), hold it, store the transaction."""
    ANSWER = "answer"
    """Answer from what is stored, and change nothing."""
    PERFORM = "perform"
    CANCEL = "cancel"
    TAKE_BACK = "take-back"
    """Cancel what is performed: the money goes back to the payer; -31007 where it can't any more."""
    EXPIRE = "expire"
    """Cancel it by time, commit that, then answer -31008."""


CALLS: Mapping[tuple[type[Params], Standing], Do | Code] = {
    (CreateParams, Standing.NONE): Do.OPEN,
    (CreateParams, Standing.TOO_LATE): Code.NOT_NOW,
    (CreateParams, Standing.CREATED): Do.ANSWER,
    (CreateParams, Standing.STALE): Do.EXPIRE,
    (CreateParams, Standing.PERFORMED): Code.NOT_NOW,
    (CreateParams, Standing.CANCELLED): Code.NOT_NOW,
    (PerformParams, Standing.NONE): Code.NOT_FOUND,
    (PerformParams, Standing.CREATED): Do.PERFORM,
    (PerformParams, Standing.STALE): Do.EXPIRE,
    (PerformParams, Standing.PERFORMED): Do.ANSWER,
    (PerformParams, Standing.CANCELLED): Code.NOT_NOW,
    (CancelParams, Standing.NONE): Code.NOT_FOUND,
    (CancelParams, Standing.CREATED): Do.CANCEL,
    (CancelParams, Standing.STALE): Do.CANCEL,
    (CancelParams, Standing.PERFORMED): Do.TAKE_BACK,
    (CancelParams, Standing.CANCELLED): Do.ANSWER,
    (CheckParams, Standing.NONE): Code.NOT_FOUND,
    (CheckParams, Standing.CREATED): Do.ANSWER,
    (CheckParams, Standing.STALE): Do.ANSWER,
    (CheckParams, Standing.PERFORMED): Do.ANSWER,
    (CheckParams, Standing.CANCELLED): Do.ANSWER,
}


def standing(params: Params, transaction: PaymeTransaction | None, now: int) -> Standing:
    """`now` in milliseconds."""
    if transaction is None:
        too_late = isinstance(params, CreateParams) and now - params.time > LIFE
        return Standing.TOO_LATE if too_late else Standing.NONE
    if transaction.state is State.CREATED:
        return Standing.STALE if now - transaction.time > LIFE else Standing.CREATED
    return Standing.PERFORMED if transaction.state is State.PERFORMED else Standing.CANCELLED


def decide(params: Params, transaction: PaymeTransaction | None, now: int) -> Do:
    """What to do on Create, Perform, Cancel or Check of `transaction`. Raises `PaymeError` where that is a refusal."""
    found = CALLS[type(params), standing(params, transaction, now)]
    if isinstance(found, Code):
        raise PaymeError(found)
    return found


class Obstacle(StrEnum):
    """Why an order can't be paid."""

    PAID = "paid"
    CANCELLED = "cancelled"
    BUSY = "busy"
    """Another transaction, of Payme's or of another provider's, holds it."""
    EARLY = "early"
    """No worker has accepted it, and payment waits for that."""


def check_order(account: PaymeAccount, params: OrderParams, total: Decimal | None, obstacle: Obstacle | None) -> None:
    """Raise the `PaymeError` of an order that can't be paid by these `params`: no order, amount, state, busy.

    `total` is the order's, in so'm, None where there is no such order.
    """
    if total is None:
        raise PaymeError(Code.ORDER_NOT_FOUND, ACCOUNT_FIELD)
    if params.amount != to_tiyin(total):
        raise PaymeError(Code.WRONG_AMOUNT)
    if obstacle is Obstacle.PAID:
        raise PaymeError(Code.ORDER_PAID, ACCOUNT_FIELD)
    if obstacle is Obstacle.CANCELLED:
        raise PaymeError(Code.ORDER_CANCELLED, ACCOUNT_FIELD)
    if obstacle is Obstacle.EARLY:
        raise PaymeError(Code.ORDER_NOT_ACCEPTED, ACCOUNT_FIELD)
    if obstacle is Obstacle.BUSY:
        raise PaymeError(account.busy_code, ACCOUNT_FIELD if -31099 <= account.busy_code <= -31050 else None)


def result_of(params: Params, transaction: PaymeTransaction) -> dict[str, Any]:
    """The result of Create, Perform, Cancel or Check, from what is stored."""
    said = {"transaction": transaction.transaction, "state": int(transaction.state)}
    if isinstance(params, CreateParams):
        return {"create_time": transaction.create_time, **said, "receivers": _receivers(transaction)}
    if isinstance(params, PerformParams):
        return {"perform_time": transaction.perform_time, **said}
    if isinstance(params, CancelParams):
        return {"cancel_time": transaction.cancel_time, **said}
    return {**_times(transaction), **said, "reason": transaction.reason}


def statement_item(transaction: PaymeTransaction) -> dict[str, Any]:
    """One transaction of GetStatement, which lists those with `from` ≤ `time` ≤ `to` in any state, oldest first."""
    return {
        "id": transaction.id,
        "time": transaction.time,
        "amount": transaction.amount,
        "account": {ACCOUNT_FIELD: transaction.order_number},
        **_times(transaction),
        "transaction": transaction.transaction,
        "state": int(transaction.state),
        "reason": transaction.reason,
        "receivers": _receivers(transaction),
    }


def _times(transaction: PaymeTransaction) -> dict[str, int]:
    return {
        "create_time": transaction.create_time,
        "perform_time": transaction.perform_time,
        "cancel_time": transaction.cancel_time,
    }


def _receivers(transaction: PaymeTransaction) -> list[dict[str, Any]] | None:
    return [dict(receiver) for receiver in transaction.receivers] or None
