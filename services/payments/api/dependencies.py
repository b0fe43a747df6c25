"""What the routes of payments have in common."""

from typing import Annotated

from fastapi import Depends, Request, Response

from services.payments.flows.keyed import Answer
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.service.attempts import Terms
from shared.http.caching import NO_STORE
from shared.http.idempotency import REPLAYED


async def _terms(request: Request) -> Terms:
    return Terms(request.app.state.settings, request.app.state.providers)


async def _payment_flows(request: Request) -> PaymentFlows:
    flows: PaymentFlows = request.app.state.payment_flows
    return flows


async def _refund_flows(request: Request) -> RefundFlows:
    flows: RefundFlows = request.app.state.refund_flows
    return flows


CurrentTerms = Annotated[Terms, Depends(_terms)]
Payments = Annotated[PaymentFlows, Depends(_payment_flows)]
Refunds = Annotated[RefundFlows, Depends(_refund_flows)]


def answered(answer: Answer) -> Response:
    replayed = {REPLAYED: "true"} if answer.is_replay else {}
    return Response(answer.body, answer.status, NO_STORE | replayed, "application/json")
