"""What the routes of payments have in common."""

from typing import Annotated

from fastapi import Depends, Request, Response

from services.payments.flows.keyed import Answer
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.service.attempts import Terms
from shared.http.idempotency import REPLAYED

NO_STORE = {"Cache-Control": "no-store"}


async def _terms(request: Request) -> Terms:
    return Terms(request.app.state.settings, request.app.state.providers)


async def _payment_flows(request: Request) -> PaymentFlows:
    flows: PaymentFlows = request.app.state.payment_flows
    return flows


async def _refund_flows(request: Request) -> RefundFlows:
    flows: RefundFlows = request.app.state.refund_flows
    return flows


async def _no_store(response: Response) -> None:
    response.headers.update(NO_STORE)


CurrentTerms = Annotated[Terms, Depends(_terms)]
Payments = Annotated[PaymentFlows, Depends(_payment_flows)]
Refunds = Annotated[RefundFlows, Depends(_refund_flows)]
no_store = Depends(_no_store)


def answered(answer: Answer) -> Response:
    replayed = {REPLAYED: "true"} if answer.is_replay else {}
    return Response(answer.body, answer.status, NO_STORE | replayed, "application/json")
