"""Prepare and Complete, as Click calls them: what is stored, judged by the rules, and done in one transaction."""

from dataclasses import replace
from typing import Any

import structlog

from services.payments.config import PaymentsSettings
from services.payments.domain import HOLDING, Gateway, Method, Unpayable, is_order_number, unpayable
from services.payments.models import ClickTransactionRow, OrderCopy, Payment
from services.payments.providers.click import ClickAccount, shop
from services.payments.providers.click.provider import DECLINED
from services.payments.providers.click.shop import Action, ClickRequest, ClickTransaction, Code, Do, Obstacle, State
from services.payments.repo import click as repo
from services.payments.repo import orders as orders_repo
from services.payments.repo import payments as payments_repo
from services.payments.service import captures
from services.payments.service.attempts import Terms, Wish, open_for
from services.payments.service.orders import lock_known_order_by_number
from shared.db import Session, abandon
from shared.db.base import utcnow
from shared.http.internal import InternalClient

log = structlog.get_logger("payments")


async def answer(
    session: Session, internal: InternalClient, terms: Terms, account: ClickAccount, request: ClickRequest
) -> dict[str, Any]:
    """What Click is told, when what it asks for is done; the same again for the same call.

    Raises `OwnerAway` where nobody can tell whether there is such an order.
    """
    if request.action is Action.PREPARE:
        code, row = await _prepare(session, internal, terms, account, request)
    else:
        code, row = await _complete(session, request)
    log.info(
        "click_called",
        action=request.action.name.lower(),
        order=request.order_number if row else None,
        click_trans_id=request.click_trans_id,
        code=int(code),
    )
    return shop.answer(request, code, _as_known(row))


async def _prepare(
    session: Session, internal: InternalClient, terms: Terms, account: ClickAccount, request: ClickRequest
) -> tuple[int, ClickTransactionRow | None]:
    order = await lock_known_order_by_number(session, internal, request.order_number, terms.settings.payable_from)
    if order is None:
        return shop.decide_prepare(account, request, None, None, None).code, None
    active = await payments_repo.active_payment(session, order.id)
    row = await repo.of_click(session, request.click_trans_id)
    stored = _as_known(row)
    if row and stored and stored.state is State.WAITING and (active is None or active.id != row.payment_id):
        # We have ended its attempt without a word of Click's: it must not charge anyone now.
        stored = replace(stored, state=State.CANCELLED)
    obstacle = _obstacle(terms.settings, order, active)
    decision = shop.decide_prepare(account, request, order.total, obstacle, stored)
    if decision.do is Do.OPEN:
        row = await _open(session, terms, order, request)
        if row is None:
            # Under this order's lock there was none: one of another order came in between.
            await abandon(session)
            return Code.ORDER_NOT_FOUND, None
    return decision.code, row


def _obstacle(settings: PaymentsSettings, order: OrderCopy, active: Payment | None) -> Obstacle | None:
    """Why the order can't be prepared."""
    reason = unpayable(order.status, settings.payable_from)
    if reason is Unpayable.CANCELLED:
        return Obstacle.CANCELLED
    if active is not None and active.status in HOLDING:
        return Obstacle.PAID
    closed = reason is Unpayable.EARLY or Gateway(settings.payment_gateway) is not Gateway.LIVE
    return Obstacle.BUSY if closed or (active is not None and active.held) else None


async def _open(session: Session, terms: Terms, order: OrderCopy, request: ClickRequest) -> ClickTransactionRow | None:
    payment = (await open_for(session, terms, order, Wish(Method.CLICK))).payment
    payment = await captures.hold(session, payment)
    payment.transaction_id = str(request.paydoc_id)
    now = utcnow()
    values = {
        "click_trans_id": request.click_trans_id,
        "paydoc_id": request.paydoc_id,
        "payment_id": payment.id,
        "order_number": payment.order_number,
        "amount": payment.amount,
        "state": State.WAITING,
        "created_at": now,
        "updated_at": now,
    }
    return await repo.add(session, values)


async def _complete(session: Session, request: ClickRequest) -> tuple[int, ClickTransactionRow | None]:
    known = is_order_number(request.order_number)
    order = await orders_repo.order_by_number(session, request.order_number) if known else None
    row = None if request.prepare_id is None else await repo.transaction(session, request.prepare_id)
    if order is None or row is None or row.prepare_id is None or row.order_number != request.order_number:
        return shop.decide_complete(request, order is not None, None).code, None
    _, payment = await payments_repo.lock(session, row.payment_id)
    row = await repo.lock(session, row.prepare_id)
    decision = shop.decide_complete(request, order_exists=True, transaction=_as_known(row))
    match decision.do:
        case Do.CONFIRM:
            row.state, row.paydoc_id, row.updated_at = State.CONFIRMED, request.paydoc_id, utcnow()
            await captures.capture(session, payment, str(request.paydoc_id))
        case Do.CANCEL | Do.FLAG if payment.captured_at is not None:
            row.error, row.updated_at = request.error, utcnow()
            await captures.need_a_person(session, payment.id, "click-calls-it-failed")
        case Do.CANCEL:
            row.state, row.error, row.updated_at = State.CANCELLED, request.error, utcnow()
            await captures.fail(session, payment, DECLINED)
    return decision.code, row


def _as_known(row: ClickTransactionRow | None) -> ClickTransaction | None:
    """The row, as the rules see it."""
    if row is None or row.prepare_id is None:
        return None
    state = State(row.state)
    confirm_id = row.prepare_id if state is State.CONFIRMED else None
    return ClickTransaction(row.prepare_id, row.click_trans_id, row.order_number, row.amount, state, confirm_id)
