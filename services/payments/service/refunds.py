"""Money that goes back: promised and booked in one transaction, asked of the provider outside any, done in another."""

from decimal import Decimal
from uuid import UUID

import structlog

from services.payments import ledger
from services.payments.domain import PROMISED, RefundStatus, Status
from services.payments.ledger import Kind
from services.payments.models import OrderCopy, Payment, Refund
from services.payments.providers import clearing_name
from services.payments.repo import ledger as ledger_repo
from services.payments.repo import payments as payments_repo
from services.payments.repo import refunds as repo
from services.payments.service.attempts import move, visible_payment
from shared.auth.users import User
from shared.contracts.payments import PaymentRefunded, PaymentState, RefundState
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound, invalid_field
from shared.ids import new_id
from shared.messaging import outbox
from shared.observability.metrics import REFUNDS

log = structlog.get_logger("payments")

# There from the start: Prometheus sees a rise only of what was there before.
_counters = {status: REFUNDS.labels(status) for status in RefundStatus}


async def refund(session: Session, payment_id: UUID, by: User, amount: Decimal | None, reason: str | None) -> Refund:
    """Open a refund of `amount`, else of all that is left.

    Raises `NotFound`, `Conflict` where nothing was taken or nothing is left, and `Invalid` for more than is left.
    """
    await visible_payment(session, payment_id, by)
    order, payment = await payments_repo.lock(session, payment_id)
    if payment.captured_at is None:
        raise Conflict("Nothing was taken by this payment.", slug="not-paid")
    left = payment.amount - await repo.counted(session, payment_id)
    if left == 0:
        raise Conflict("All of this payment went back, or is promised.", slug="already-refunded")
    if amount is not None and amount > left:
        raise invalid_field("amount", f"Of this payment {left:.2f} {payment.currency} is left.", "too-much")
    return await _open(session, order, payment, amount or left, reason=reason, by=by.id)


async def open_remainder(session: Session, order: OrderCopy, payment: Payment, reason: str) -> Refund | None:
    """Of a locked payment all that is left, if anything is."""
    left = payment.amount - await repo.counted(session, payment.id)
    return await _open(session, order, payment, left, reason=reason) if left else None


async def refund_as_requested(session: Session, payment_id: UUID, order_id: UUID, reason: str) -> None:
    """All that is left goes back, as orders asks; once a payment, however often it is asked."""
    if not await payments_repo.note_refund_request(session, payment_id, order_id, reason):
        return
    if await payments_repo.payment(session, payment_id) is None:
        log.warning("refund_of_unknown_payment", payment_id=str(payment_id))
        return
    order, payment = await payments_repo.lock(session, payment_id)
    if payment.captured_at is not None:
        await open_remainder(session, order, payment, reason)


async def open_as_decided(session: Session, order_id: UUID, dispute_id: UUID, amount: Decimal) -> None:
    """What a dispute's decision gives back of the order's payment, as far as that is left; once a dispute. The order's
    copy must be locked."""
    payment = await payments_repo.active_payment(session, order_id)
    if payment is None or payment.captured_at is None or await repo.refund(session, dispute_id):
        return
    order, payment = await payments_repo.lock(session, payment.id)
    left = payment.amount - await repo.counted(session, payment.id)
    if back := min(amount, left):
        await _open(session, order, payment, back, reason="dispute-resolved", refund_id=dispute_id)


async def open_for_duplicate(session: Session, payment: Payment) -> Refund:
    """An order is paid once: the whole of a second capture is promised as it is booked."""
    opened = _new_refund(payment, payment.amount, reason="duplicate")
    await repo.add(session, opened)
    entries = ledger.captured_twice(clearing_name(payment), opened.id, payment.amount)
    await ledger_repo.post(session, Kind.DUPLICATE, entries, payment, opened.id)
    _note_opened(session, opened)
    return opened


async def _open(
    session: Session,
    order: OrderCopy,
    payment: Payment,
    amount: Decimal,
    *,
    reason: str | None,
    by: UUID | None = None,
    refund_id: UUID | None = None,
) -> Refund:
    opened = _new_refund(payment, amount, reason=reason, by=by, refund_id=refund_id)
    await repo.add(session, opened)
    standing = await ledger_repo.standing(session, order.id)
    entries = ledger.refund_opened(order.id, opened.id, amount, standing)
    await ledger_repo.post(session, Kind.REFUND_OPENED, entries, payment, opened.id)
    _note_opened(session, opened)
    return opened


def _new_refund(
    payment: Payment, amount: Decimal, *, reason: str | None, by: UUID | None = None, refund_id: UUID | None = None
) -> Refund:
    return Refund(
        id=refund_id or new_id(),
        payment_id=payment.id,
        amount=amount,
        currency=payment.currency,
        reason=reason,
        status=RefundStatus.PENDING,
        requested_by=by,
        created_at=utcnow(),
    )


def _note_opened(session: Session, opened: Refund) -> None:
    after_commit(session, session.info["wake_refunds"])
    log.info("refund_opened", refund_id=str(opened.id), payment_id=str(opened.payment_id), amount=str(opened.amount))


async def _locked(session: Session, refund_id: UUID) -> tuple[OrderCopy, Payment, Refund]:
    found = await repo.refund(session, refund_id)
    if found is None:
        raise NotFound("There is no such refund.")
    order, payment = await payments_repo.lock(session, found.payment_id)
    return order, payment, await repo.lock(session, refund_id)


async def complete(session: Session, refund_id: UUID) -> Refund:
    """The money went back: book it, and tell. One that is completed stays as it is. Raises `NotFound`."""
    order, payment, found = await _locked(session, refund_id)
    if found.status not in PROMISED:
        return found
    payment.worker_id = order.worker_id
    found.status, found.completed_at = RefundStatus.COMPLETED, utcnow()
    payment.refunded += found.amount
    whole = payment.refunded == payment.amount
    move(payment, Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED)
    entries = ledger.refund_completed(clearing_name(payment), found.id, found.amount)
    await ledger_repo.post(session, Kind.REFUND_COMPLETED, entries, payment, found.id)
    state = RefundState(id=found.id, amount=found.amount, reason=found.reason)
    outbox.add(session, PaymentRefunded(payment=PaymentState.model_validate(payment), refund=state))
    _log(session, found)
    return found


async def leave_to_a_person(session: Session, refund_id: UUID, why: str) -> Refund:
    """The provider can't be told by us: somebody has to make it there, and `done` says that they have."""
    _, _, found = await _locked(session, refund_id)
    if found.status == RefundStatus.PENDING:
        found.status, found.manual_reason = RefundStatus.MANUAL, why
        _log(session, found, why=why)
    return found


async def decline(session: Session, refund_id: UUID, code: str) -> Refund:
    """The provider refuses it. What an admin asked for has failed in their sight, and the money is back where it came
    from; what nobody asked for, and whatever a cancelled order has to give back, waits for a person."""
    order, payment, found = await _locked(session, refund_id)
    if found.requested_by is None or order.status == "cancelled":
        return await leave_to_a_person(session, refund_id, code)
    if found.status == RefundStatus.PENDING:
        found.status = RefundStatus.FAILED
        back = ledger.reversed_entries(await ledger_repo.entries_of_opening(session, refund_id))
        await ledger_repo.post(session, Kind.REFUND_FAILED, back, payment, refund_id)
        # Escrow may hold something again.
        payment.released_at = None
        after_commit(session, session.info["wake_timers"])
        _log(session, found, code=code)
    return found


async def mark_done(session: Session, refund_id: UUID) -> Refund:
    """A person has made it at the provider. Raises `NotFound`, and `Conflict` where it is not theirs to make."""
    _, _, found = await _locked(session, refund_id)
    if found.status not in (RefundStatus.MANUAL, RefundStatus.COMPLETED):
        raise Conflict("This refund does not wait for a person.", slug="not-manual")
    return await complete(session, refund_id)


def _log(session: Session, found: Refund, **more: str) -> None:
    after_commit(session, _counters[RefundStatus(found.status)].inc)
    log.info("refund_" + found.status, refund_id=str(found.id), amount=str(found.amount), **more)
