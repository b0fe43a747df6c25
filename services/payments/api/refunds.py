"""Give money back, and the queue of what a person has to give back at the provider."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.payments.api.dependencies import CurrentTerms, Refunds, answered
from services.payments.domain import RefundStatus
from services.payments.flows.keyed import Keyed
from services.payments.models import Refund
from services.payments.repo import refunds as repo
from services.payments.schemas.refunds import RefundIn, RefundOut
from services.payments.service import refunds
from shared.auth.users import ActingAdmin, Admin
from shared.http import idempotency
from shared.http.caching import no_store
from shared.http.idempotency import IdempotencyKey, hash_of
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.service import DbSession

router = APIRouter(prefix="/api/payments", tags=["refunds"], dependencies=[no_store])


@router.post(
    "/{payment_id:uuid}/refund/",
    status_code=201,
    response_model=RefundOut,
    responses=problems(403, 404, 409) | idempotency.DOCUMENTED,
)
async def refund_payment(
    payment_id: UUID, body: RefundIn, by: ActingAdmin, key: IdempotencyKey, terms: CurrentTerms, flows: Refunds
) -> Response:
    """Give money back: `amount`, or all that is left. All refunds together never pass what was paid. Where the provider
    can't be told by us, the refund is `manual`."""
    keyed = Keyed(key.call_by(by.id), hash_of(body))
    return answered(await flows.refund(terms, payment_id, by, body.amount, body.reason, keyed))


@router.get("/refunds/", response_model=Page[RefundOut], responses=problems(403))
async def list_refunds(
    page: Paging,
    by: Admin,
    session: DbSession,
    status: Annotated[RefundStatus | None, Query(description="`manual`: those that wait for a person")] = None,
) -> dict[str, Any]:
    """All refunds, newest first."""
    rows = await repo.refunds(session, page, status)
    return page.page(rows, key=lambda refund: (refund.created_at, refund.id))


@router.post("/refunds/{refund_id:uuid}/done/", response_model=RefundOut, responses=problems(403, 404, 409))
async def mark_refund_done(refund_id: UUID, by: ActingAdmin, session: DbSession) -> Refund:
    """You have made a `manual` refund at the provider."""
    return await refunds.mark_done(session, refund_id)
