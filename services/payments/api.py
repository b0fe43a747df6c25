"""Routes of payments."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.payments import repo, service
from services.payments.flows import PaymentFlows
from services.payments.models import Payment
from services.payments.providers import Card
from services.payments.schemas import PayIn, PaymentOut
from shared.auth.users import CallingService, Client, CurrentUser
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession

payments = APIRouter(prefix="/api/payments", tags=["payments"])
internal = APIRouter(prefix="/internal", include_in_schema=False)

NO_STORE = {"Cache-Control": "no-store"}


async def _flows(request: Request) -> PaymentFlows:
    flows: PaymentFlows = request.app.state.flows
    return flows


Flows = Annotated[PaymentFlows, Depends(_flows)]


@payments.post(
    "/order/{order_id}/pay/",
    status_code=201,
    response_model=PaymentOut,
    responses=problems(403, 404, 409) | {200: {"model": PaymentOut, "description": "The attempt that is under way"}},
)
async def pay_order(order_id: UUID, body: PayIn, by: Client, flows: Flows, response: Response) -> Payment:
    """Pay an order; the amount comes from the order. A failed payment may be tried again."""
    card = Card(**body.card.model_dump()) if body.card else None
    attempt = await flows.pay(order_id, by, body.method, card)
    response.headers.update(NO_STORE)
    if not attempt.is_new:
        response.status_code = 200
    return attempt.payment


@payments.get("/", response_model=Page[PaymentOut])
async def list_payments(page: Paging, by: CurrentUser, session: DbSession, response: Response) -> dict[str, Any]:
    """Your payments, newest first; all for an admin."""
    response.headers.update(NO_STORE)
    rows = await repo.payments(session, by, page)
    return page.page(rows, key=lambda payment: (payment.created_at, payment.id))


@payments.get("/{payment_id}/", response_model=PaymentOut, responses=problems(404))
async def read_payment(payment_id: UUID, by: CurrentUser, session: DbSession, response: Response) -> Payment:
    """One payment."""
    response.headers.update(NO_STORE)
    return await service.visible_payment(session, payment_id, by)


@internal.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: DbSession, _: CallingService) -> Response:
    return RowsResponse({"payments": await service.export(session, user_id)})


@internal.get("/users/{user_id}/held/")
async def count_held(user_id: UUID, session: DbSession, _: CallingService) -> dict[str, int]:
    return {"held": await repo.count_held(session, user_id)}
