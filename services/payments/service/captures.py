"""What providers tell us of a payment: by the answer to our call, or by a call of their own.

Each use case works in the caller's transaction, takes the locks of the order and then of the payment, and changes
nothing where the thing is told again.
"""

from uuid import UUID

import structlog

from services.payments import ledger
from services.payments.domain import ACTIVE, Status, unpayable
from services.payments.ledger import Kind
from services.payments.models import Payment
from services.payments.providers import Charge, clearing_name
from services.payments.repo import ledger as ledger_repo
from services.payments.repo import payments as repo
from services.payments.repo import refunds as refunds_repo
from services.payments.service import refunds
from services.payments.service.attempts import move
from services.payments.service.orders import lock_known_order
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentState
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.http.internal import InternalClient
from shared.messaging import outbox
from shared.observability.metrics import PAYMENTS

log = structlog.get_logger("payments")


async def hold(session: Session, payment: Payment) -> Payment:
    """A provider's transaction hangs on the attempt now. One that has ended stays so: its status says."""
    return await _set_held(session, payment, held=True)


async def release_hold(session: Session, payment: Payment) -> Payment:
    """It hangs on it no longer, and the attempt goes on."""
    return await _set_held(session, payment, held=False)


async def _set_held(session: Session, payment: Payment, *, held: bool) -> Payment:
    _, payment = await repo.lock(session, payment.id, payment.order_id)
    if payment.status == Status.PENDING and payment.held != held:
        payment.held, payment.updated_at = held, utcnow()
    return payment


async def may_capture(session: Session, internal: InternalClient, payment: Payment) -> bool:
    """Whether the provider may still be told to take the money: the attempt is pending, and its order not cancelled;
    where our copy says that it is, orders is asked once. The session must not have been written to."""
    # Acceptance was a condition of opening the attempt, and is none any more.
    order = await lock_known_order(session, internal, payment.order_id, payable_from="pending")
    _, payment = await repo.lock(session, payment.id, payment.order_id)
    return order is not None and unpayable(order.status, "pending") is None and payment.status == Status.PENDING


async def capture(session: Session, payment: Payment, transaction_id: str) -> Payment:
    """Book that the provider has taken the money, whatever became of the attempt and of its order meanwhile.

    Money for an order that is paid otherwise is a duplicate; it goes back, and so does that for a cancelled order.
    """
    order, payment = await repo.lock(session, payment.id, payment.order_id)
    if payment.captured_at is not None:
        return payment
    # An order's index lets only one be active: where it is this one, there is no other to look for.
    is_active = payment.status in ACTIVE and not payment.duplicate
    rival = None if is_active else await repo.active_payment(session, order.id)
    payment.duplicate = rival is not None and rival.id != payment.id
    payment.captured_at, payment.transaction_id = utcnow(), transaction_id
    payment.worker_id = order.worker_id
    payment.held, payment.failure_code = False, None
    move(payment, Status.COMPLETED)
    # Told before its refund, as it happened.
    after_commit(session, PAYMENTS.labels(payment.method, Status.COMPLETED).inc)
    outbox.add(session, PaymentCompleted(payment=PaymentState.model_validate(payment)))
    if payment.duplicate:
        await refunds.open_for_duplicate(session, payment)
    else:
        entries = ledger.captured(clearing_name(payment), order.id, payment.amount)
        await ledger_repo.post(session, Kind.PAYMENT, entries, payment)
        if order.status == "cancelled":
            await refunds.open_remainder(session, order, payment, "order-cancelled")
    after_commit(session, session.info["wake_timers_if_due"])
    _log(payment, duplicate=payment.duplicate)
    return payment


async def fail(session: Session, payment: Payment, code: str) -> Payment:
    """The provider took nothing and will take nothing: the order is free for another attempt."""
    _, payment = await repo.lock(session, payment.id, payment.order_id)
    if payment.status != Status.PENDING:
        return payment
    payment.failure_code, payment.held = code, False
    move(payment, Status.FAILED)
    after_commit(session, PAYMENTS.labels(payment.method, Status.FAILED).inc)
    outbox.add(session, PaymentFailed(payment=PaymentState.model_validate(payment), failure_code=code))
    _log(payment, code=code)
    return payment


async def settle(session: Session, payment: Payment, charge: Charge) -> Payment:
    """Write what became of a charge that we asked for."""
    if charge.declined_as is None:
        return await capture(session, payment, charge.transaction_id)
    payment = await fail(session, payment, charge.declined_as)
    if payment.captured_at is None and payment.transaction_id is None:
        payment.transaction_id = charge.transaction_id or None
    return payment


async def refunded_by_provider(session: Session, payment: Payment) -> Payment:
    """The provider has sent the whole remainder back by itself: refunds that wait for a person are done by that."""
    order, payment = await repo.lock(session, payment.id, payment.order_id)
    if payment.captured_at is None:
        return payment
    for waiting in await refunds_repo.promised(session, payment.id):
        await refunds.complete(session, waiting.id)
    if rest := await refunds.open_remainder(session, order, payment, "sent-back-by-provider"):
        await refunds.complete(session, rest.id)
    return payment


async def need_a_person(session: Session, payment_id: UUID, why: str) -> None:
    """Queue the payment for a person; `why` is a slug."""
    _, payment = await repo.lock(session, payment_id)
    payment.attention, payment.updated_at = why, utcnow()
    log.warning("payment_needs_a_person", payment_id=str(payment_id), order=payment.order_number, why=why)


def _log(payment: Payment, **more: object) -> None:
    log.info(
        "payment_closed",
        payment_id=str(payment.id),
        order=payment.order_number,
        amount=str(payment.amount),
        status=payment.status,
        **more,
    )
