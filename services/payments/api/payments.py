"""Pay, look, give up."""

from collections.abc import Container
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.payments.api.dependencies import CurrentTerms, Payments, answered
from services.payments.config import PaymentsSettings
from services.payments.flows.keyed import Keyed
from services.payments.models import Payment, Refund
from services.payments.providers import Card
from services.payments.repo import payments as repo
from services.payments.repo import refunds as refunds_repo
from services.payments.schemas.payments import PayIn, PaymentOut, WholePaymentOut
from services.payments.service import attempts
from services.payments.service.attempts import Wish
from shared.auth.users import Client, CurrentUser
from shared.errors import invalid_field
from shared.http import idempotency
from shared.http.caching import no_store
from shared.http.idempotency import IdempotencyKey, hash_of
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.service import DbSession, Snapshot
from shared.origins import Origin, origin_of

router = APIRouter(prefix="/api/payments", tags=["payments"], dependencies=[no_store])


@router.post(
    "/order/{order_id:uuid}/pay/",
    status_code=201,
    response_model=PaymentOut,
    responses=problems(403, 404, 409)
    | idempotency.DOCUMENTED
    | {200: {"model": PaymentOut, "description": "The attempt that is under way"}},
)
async def pay_order(
    order_id: UUID, body: PayIn, by: Client, key: IdempotencyKey, terms: CurrentTerms, flows: Payments
) -> Response:
    """Pay an order; the amount comes from the order. A failed payment may be tried again, and one that nobody has
    touched at a provider is taken over by another method."""
    # The card is left out: of what has few digits a hash would not hide them.
    keyed = Keyed(key.call_by(by.id), hash_of(body, without={"card"}))
    return answered(await flows.pay(terms, order_id, by, _wish(body, terms.settings), keyed))


def may_return_to(url: str, allowed: Container[Origin]) -> bool:
    """Whether a payer may be sent there: http(s), at one of the allowed origins, and without the sign that
    separates the values of a checkout link."""
    if ";" in url or not url.isprintable() or " " in url or "\\" in url:
        return False
    origin = origin_of(url)
    return origin is not None and origin in allowed


def _wish(body: PayIn, settings: PaymentsSettings) -> Wish:
    source = body.card.source() if body.card else None
    if source is not None and isinstance(source, Card) != (settings.payment_gateway == "fake"):
        if isinstance(source, Card):
            raise invalid_field("card.number", "A card's number is for the provider alone: send its token.", "number")
        raise invalid_field("card.token", "There is no provider that would know this token.", "token")
    if body.return_url is not None and not may_return_to(body.return_url, settings.page_origins):
        raise invalid_field("return_url", "The payer may not be sent there.", "origin")
    return Wish(body.method, source, body.return_url)


@router.get("/", response_model=Page[WholePaymentOut])
async def list_payments(page: Paging, by: CurrentUser, session: Snapshot) -> dict[str, Any]:
    """Your payments with their refunds, newest first; all for an admin."""
    rows = await repo.payments(session, by, page)
    refunds = await refunds_repo.of_payments(session, [row.id for row in rows])
    shown = page.page(rows, key=lambda payment: (payment.created_at, payment.id))
    return shown | {"results": [_whole(row, refunds[row.id]) for row in shown["results"]]}


@router.get("/{payment_id:uuid}/", response_model=WholePaymentOut, responses=problems(404))
async def read_payment(payment_id: UUID, by: CurrentUser, session: Snapshot) -> dict[str, Any]:
    """One payment, with its refunds."""
    payment = await attempts.visible_payment(session, payment_id, by)
    refunds = await refunds_repo.of_payments(session, [payment_id])
    return _whole(payment, refunds[payment_id])


def _whole(payment: Payment, refunds: list[Refund]) -> dict[str, Any]:
    return {**payment.model_dump(), "refunds": refunds}


@router.post("/{payment_id:uuid}/cancel/", response_model=PaymentOut, responses=problems(403, 404, 409))
async def cancel_payment(payment_id: UUID, by: Client, session: DbSession) -> Payment:
    """Give up a pending attempt, while no provider is at work on it."""
    return await attempts.give_up(session, payment_id, by)
