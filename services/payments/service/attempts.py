"""Attempts to pay: opened, gone on with, taken over, given up, ended by time."""

from dataclasses import dataclass
from uuid import UUID

import structlog

from services.payments.config import PaymentsSettings
from services.payments.domain import HOLDING, Gateway, Method, Status, Unpayable, card_brand, check_move, unpayable
from services.payments.models import OrderCopy, Payment
from services.payments.providers import Card, CardToken, Providers, RedirectProvider
from services.payments.repo import payments as repo
from services.payments.service.orders import NotPayable, lock_known_order
from shared.auth.users import User
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound
from shared.http.internal import InternalClient
from shared.ids import new_id
from shared.observability.metrics import PAYMENTS

log = structlog.get_logger("payments")


@dataclass(frozen=True)
class Terms:
    """What attempts of this process are opened under."""

    settings: PaymentsSettings
    providers: Providers


@dataclass(frozen=True)
class Wish:
    """How someone wants to pay."""

    method: Method
    source: Card | CardToken | None = None
    return_url: str | None = None


@dataclass(frozen=True)
class Attempt:
    payment: Payment
    is_new: bool


def move(payment: Payment, to: Status) -> None:
    """Write the move of a locked payment. Raises `MoveNotAllowed`."""
    check_move(Status(payment.status), to)
    payment.status, payment.version, payment.updated_at = to, payment.version + 1, utcnow()


async def open_attempt(
    session: Session, internal: InternalClient, terms: Terms, order_id: UUID, by: User, wish: Wish
) -> Attempt:
    """Record that `by` begins to pay the order, or find the attempt that is under way by the same method.

    One by another method is taken over, unless a provider's transaction hangs on it. Raises `NotFound`, `NotPayable`,
    and `Unavailable` for a method that no provider is configured for.
    """
    order = await lock_known_order(session, internal, order_id, terms.settings.payable_from)
    if order is None or order.client_id != by.id:
        raise NotFound("There is no such order.")
    return await open_for(session, terms, order, wish)


async def open_for(session: Session, terms: Terms, order: OrderCopy, wish: Wish) -> Attempt:
    """The same for whoever may pay this order, which is locked. Raises `NotPayable` and `Unavailable`."""
    provider = terms.providers.of(terms.settings.payment_gateway, wish.method)
    if reason := unpayable(order.status, terms.settings.payable_from):
        raise NotPayable(reason)
    if active := await repo.active_payment(session, order.id):
        if active.status in HOLDING:
            raise NotPayable(Unpayable.PAID)
        if active.held and active.method != wish.method:
            raise NotPayable(Unpayable.BUSY)
        if active.method == wish.method and (active.held or active.expires_at > utcnow()):
            return Attempt(active, is_new=False)
        _end(session, active, "taken_over")
        await session.flush()
    payment = _new_payment(order, terms.settings, wish)
    if isinstance(provider, RedirectProvider):
        payment.checkout_url = provider.checkout_url(payment)
    else:
        payment.held = True
    await repo.add(session, payment)
    log.info("payment_opened", payment_id=str(payment.id), order=order.number, amount=str(order.total))
    return Attempt(payment, is_new=True)


def _new_payment(order: OrderCopy, settings: PaymentsSettings, wish: Wish) -> Payment:
    now = utcnow()
    number = wish.source.number if isinstance(wish.source, Card) else None
    return Payment(
        id=new_id(),
        order_id=order.id,
        order_number=order.number,
        client_id=order.client_id,
        owner_id=order.owner_id,
        worker_id=order.worker_id,
        amount=order.total,
        currency=order.currency,
        method=wish.method,
        gateway=Gateway(settings.payment_gateway),
        status=Status.PENDING,
        card_brand=card_brand(number) if number else None,
        card_last4=number[-4:] if number else None,
        return_url=wish.return_url,
        commission_rate=settings.commission_rate,
        expires_at=now + settings.payment_attempt_ttl,
        created_at=now,
        updated_at=now,
    )


async def give_up(session: Session, payment_id: UUID, by: User) -> Payment:
    """End an attempt that nobody has touched; one that has ended by itself without money stays as it is.

    Raises `NotFound`, also for strangers, and `Conflict` where a provider is at work on it, or it is paid.
    """
    if await repo.visible_payment(session, payment_id, by) is None:
        raise NotFound("There is no such payment.")
    _, payment = await repo.lock(session, payment_id)
    if payment.captured_at is not None:
        raise Conflict("This payment is completed.", slug="already-paid")
    if payment.status == Status.PENDING:
        if payment.held:
            raise Conflict("The provider is at work on this payment.", slug="payment-in-progress")
        _end(session, payment, "given_up")
    return payment


async def expire(session: Session) -> int:
    """End attempts that nobody has touched in their time, a batch of them; returns how many."""
    expired = await repo.lock_expired(session)
    for payment in expired:
        _end(session, payment, "expired")
    return len(expired)


def _end(session: Session, payment: Payment, why: str) -> None:
    move(payment, Status.CANCELLED)
    after_commit(session, PAYMENTS.labels(payment.method, Status.CANCELLED).inc)
    log.info("payment_cancelled", payment_id=str(payment.id), order=payment.order_number, why=why)


async def visible_payment(session: Session, payment_id: UUID, by: User) -> Payment:
    """Raises `NotFound`, also for strangers."""
    payment = await repo.visible_payment(session, payment_id, by)
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment
