"""Where Payme calls: its Merchant API. Whatever comes in, an answer with status 200 goes out: Payme takes any other for
an error of the system."""

from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Request, Response

from services.payments.api.dependencies import CurrentTerms
from services.payments.api.provider_calls import caller, read_body
from services.payments.providers.addresses import may_call
from services.payments.providers.payme import account_of
from services.payments.providers.payme.errors import Code, PaymeError
from services.payments.providers.payme.rpc import Call, receive
from services.payments.service import payme
from services.payments.service.payme import Desk
from shared.addresses import parse_networks
from shared.errors import Unavailable
from shared.http.caching import NO_STORE
from shared.http.service import Internal, platform_of

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

router = APIRouter(prefix="/api/payments/providers", include_in_schema=False)
log = structlog.get_logger("payments")


@router.api_route("/payme/", methods=METHODS)
async def merchant_api(request: Request, terms: CurrentTerms, internal: Internal) -> Response:
    desk = Desk(account_of(terms.settings), terms, internal)
    return Response(orjson.dumps(await _answer(request, desk)), headers=NO_STORE, media_type="application/json")


async def _answer(request: Request, desk: Desk) -> dict[str, Any]:
    if not may_call(caller(request), parse_networks(desk.terms.settings.payme_allowed_ips)):
        log.warning("payme_call_from_elsewhere", address=caller(request))
        return PaymeError(Code.NOT_AUTHORIZED).answer(None)
    found = receive(desk.account, request.method, request.headers.get("authorization"), await read_body(request))
    return await _told(request, desk, found) if isinstance(found, Call) else found


async def _told(request: Request, desk: Desk, call: Call) -> dict[str, Any]:
    """The answer, once what it tells of is committed. Of what goes wrong Payme hears that it may ask again."""
    try:
        async with platform_of(request).database.session() as session:
            return await payme.answer(session, desk, call)
    except Unavailable as error:
        log.warning("payme_has_to_ask_again", call=type(call.params).__name__, why=error.detail)
    except Exception:
        log.exception("payme_call_failed", call=type(call.params).__name__)
    return call.refuse(PaymeError(Code.SYSTEM))
