"""Payme's calls of its Merchant API: each one transaction, its answer made of what is stored.

What moves money locks the order's copy, then the payment, then Payme's transaction: so a call and its own copy take
turns, and whoever comes second finds what the first has stored.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from services.payments.domain import HOLDING, Gateway, Method, Status, Unpayable, unpayable
from services.payments.models import OrderCopy, Payment, PaymeTransactionRow
from services.payments.providers.payme import PaymeAccount
from services.payments.providers.payme.errors import Code, PaymeError
from services.payments.providers.payme.rpc import (
    Call,
    CancelParams,
    CheckParams,
    CheckPerformParams,
    CreateParams,
    FiscalParams,
    OrderParams,
    Params,
    PerformParams,
    StatementParams,
)
from services.payments.providers.payme.rules import (
    ALLOW,
    FISCAL_DATA_KEPT,
    LIFE,
    Do,
    Obstacle,
    PaymeTransaction,
    Standing,
    State,
    check_order,
    decide,
    result_of,
    standing,
    statement_item,
)
from services.payments.repo import payme as repo
from services.payments.repo import payments as payments_repo
from services.payments.service import captures
from services.payments.service.attempts import Terms, Wish, open_for
from services.payments.service.orders import lock_known_order_by_number
from shared.db import Session
from shared.http.internal import InternalClient

log = structlog.get_logger("payments")

FAILED_AS: Mapping[int, str] = {1: "receiver-not-found", 2: "debit-failed", 3: "transaction-failed", 4: "timed-out"}
"""Why an attempt failed, by the reason of Payme's cancel; any other is `cancelled-by-provider`."""

_STORED = {"id", "time", "amount", "order_number", "create_time", "perform_time", "cancel_time", "reason"}
_OBSTACLES = {Unpayable.CANCELLED: Obstacle.CANCELLED, Unpayable.EARLY: Obstacle.EARLY}


@dataclass(frozen=True)
class Desk:
    """What Payme's calls are answered by."""

    account: PaymeAccount
    terms: Terms
    internal: InternalClient


async def answer(session: Session, desk: Desk, call: Call) -> dict[str, Any]:
    """What Payme is told. To be committed also where that is an error: the call may have found the 12 hours over.

    Raises `Unavailable`.
    """
    try:
        return call.answer(await _result(session, desk, call.params))
    except PaymeError as refusal:
        return call.refuse(refusal)


async def _result(session: Session, desk: Desk, params: Params) -> Mapping[str, Any]:
    match params:
        case CheckPerformParams():
            await _check_order(session, desk, params, await _locked_order(session, desk, params))
            return ALLOW
        case StatementParams():
            rows = await repo.statement(session, params.from_, params.to)
            return {"transactions": [statement_item(_transaction(row)) for row in rows]}
        case FiscalParams():
            if not await repo.keep_fiscal_data(session, params.id, params.type, params.fiscal_data):
                raise PaymeError(Code.RECEIPT_NOT_FOUND)
            return FISCAL_DATA_KEPT
        case CheckParams():
            found = await repo.transaction(session, params.id)
            transaction = _transaction(found) if found else None
            decide(params, transaction, _now())
            assert transaction is not None  # noqa: S101 - of none there is nothing to tell
            return result_of(params, transaction)
        case CreateParams() | PerformParams() | CancelParams():
            return result_of(params, await _move(session, desk, params))
    raise AssertionError(f"no method has {type(params).__name__}")


async def _move(session: Session, desk: Desk, params: CreateParams | PerformParams | CancelParams) -> PaymeTransaction:
    """Do what the call asks for, and return the transaction as it is stored after it."""
    found = await repo.transaction(session, params.id) or await _open(session, desk, params)
    may_capture = False
    if isinstance(params, PerformParams) and found.state == State.CREATED:
        payment = await payments_repo.payment(session, found.payment_id)
        assert payment is not None  # noqa: S101 - by its foreign key
        may_capture = await captures.may_capture(session, desk.internal, payment)
    payment, row = await repo.lock(session, found)
    transaction, now = _transaction(row), _now()
    match decide(params, transaction, now):
        case Do.ANSWER:
            return transaction
        case Do.PERFORM:
            if not may_capture:
                raise PaymeError(Code.NOT_NOW)
            await captures.capture(session, payment, row.id)
            transaction = transaction.performed(now)
        case Do.CANCEL:
            assert isinstance(params, CancelParams)  # noqa: S101 - nobody else cancels
            await captures.fail(session, payment, FAILED_AS.get(params.reason, "cancelled-by-provider"))
            transaction = transaction.cancelled(now, params.reason)
        case Do.TAKE_BACK:
            assert isinstance(params, CancelParams)  # noqa: S101 - nobody else cancels
            # Payme sends back the whole: more than was paid, where a part went back another way.
            if payment.status == Status.PARTIALLY_REFUNDED:
                raise PaymeError(Code.DELIVERED)
            await captures.refunded_by_provider(session, payment)
            transaction = transaction.cancelled(now, params.reason)
        case Do.EXPIRE:
            await _expire(session, payment, row, now)
            raise PaymeError(Code.NOT_NOW)
    _store(row, transaction)
    return transaction


async def _open(
    session: Session, desk: Desk, params: CreateParams | PerformParams | CancelParams
) -> PaymeTransactionRow:
    """Open a transaction, and hold its order by it. Raises the `PaymeError` of what can't be."""
    decide(params, None, _now())
    assert isinstance(params, CreateParams)  # noqa: S101 - any other call of no transaction is refused
    order = await _locked_order(session, desk, params)
    if came_first := await repo.transaction(session, params.id):
        return came_first
    await _check_order(session, desk, params, order)
    assert order is not None  # noqa: S101 - just checked
    payment = await _by_receipt(session, params, order)
    if payment is None:
        payment = (await open_for(session, desk.terms, order, Wish(Method.PAYME))).payment
    await captures.hold(session, payment)
    row = PaymeTransactionRow(
        id=params.id,
        payment_id=payment.id,
        order_number=order.number,
        amount=params.amount,
        time=params.time,
        create_time=_now(),
        state=State.CREATED,
    )
    await repo.add(session, row)
    _log(row)
    return row


async def _locked_order(session: Session, desk: Desk, params: OrderParams) -> OrderCopy | None:
    """The order whose number the payer gave, as orders knows it where our copy would refuse it."""
    payable_from = desk.terms.settings.payable_from
    return await lock_known_order_by_number(session, desk.internal, params.order_number, payable_from)


async def _check_order(session: Session, desk: Desk, params: OrderParams, order: OrderCopy | None) -> None:
    """Raise the `PaymeError` of a locked order that can't be paid by these `params`."""
    if Gateway(desk.terms.settings.payment_gateway) is not Gateway.LIVE:
        raise PaymeError(Code.SYSTEM)
    obstacle = await _obstacle(session, desk, params, order) if order else None
    check_order(desk.account, params, order.total if order else None, obstacle)


async def _obstacle(session: Session, desk: Desk, params: OrderParams, order: OrderCopy) -> Obstacle | None:
    if reason := unpayable(order.status, desk.terms.settings.payable_from):
        return _OBSTACLES[reason]
    active = await payments_repo.active_payment(session, order.id)
    if active is None:
        return None
    if active.status in HOLDING:
        return Obstacle.PAID
    return Obstacle.BUSY if active.held and not await _by_receipt(session, params, order) else None


async def _by_receipt(session: Session, params: OrderParams, order: OrderCopy) -> Payment | None:
    """The attempt by card that this call is a part of: while a receipt is paid over the Subscribe API, Payme asks the
    same desk's Merchant API, and a receipt's transaction has its id."""
    active = await payments_repo.active_payment(session, order.id)
    if active is None or (active.gateway, active.method) != (Gateway.LIVE, Method.CARD):
        return None
    # Before there is a transaction nothing says which receipt it will be.
    of_another = isinstance(params, CreateParams) and await repo.receipt_of(session, active.id) != params.id
    return None if of_another else active


async def end_overdue(session: Session, found: PaymeTransactionRow) -> None:
    """Cancel a created transaction, and fail its attempt, when its 12 hours are over."""
    payment, row = await repo.lock(session, found)
    now = _now()
    # As a call would find it: it may have been performed since it was looked up.
    if standing(CheckParams(id=row.id), _transaction(row), now) is Standing.STALE:
        await _expire(session, payment, row, now)


def overdue_before() -> int:
    """Payme's time of the youngest transactions whose 12 hours are over."""
    return _now() - LIFE


async def _expire(session: Session, payment: Payment, row: PaymeTransactionRow, now: int) -> None:
    expired = _transaction(row).expired(now)
    assert expired.reason is not None  # noqa: S101 - time is one
    await captures.fail(session, payment, FAILED_AS[expired.reason])
    _store(row, expired)


def _transaction(row: PaymeTransactionRow) -> PaymeTransaction:
    return PaymeTransaction(**row.model_dump(include=_STORED), transaction=str(row.payment_id), state=State(row.state))


def _store(row: PaymeTransactionRow, transaction: PaymeTransaction) -> None:
    row.state, row.reason = transaction.state, transaction.reason
    row.perform_time, row.cancel_time = transaction.perform_time, transaction.cancel_time
    _log(row)


def _log(row: PaymeTransactionRow) -> None:
    ids = {"transaction_id": row.id, "payment_id": str(row.payment_id), "order": row.order_number}
    log.info("payme_transaction", **ids, tiyin=row.amount, state=int(row.state), reason=row.reason)


def _now() -> int:
    return int(time.time() * 1000)
