"""Where Click calls us: Prepare and Complete of the SHOP-API."""

from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from services.payments.api.dependencies import CurrentTerms
from services.payments.api.provider_calls import caller, read_body
from services.payments.providers.addresses import may_call
from services.payments.providers.click import account_of, shop
from services.payments.providers.click.shop import Code, Refusal
from services.payments.service import click
from services.payments.service.attempts import Terms
from shared.addresses import parse_networks
from shared.errors import MarketplaceError
from shared.http.caching import NO_STORE
from shared.http.service import platform_of

log = structlog.get_logger("payments")

router = APIRouter(prefix="/api/payments/providers/click", include_in_schema=False)


@router.post("/prepare/")
@router.post("/complete/")
async def answer_click(request: Request, terms: CurrentTerms) -> Response:
    """Both calls at either address, which may be one in Click's cabinet. Status 200 and a code of Click's own, always:
    it reads nothing else."""
    body = await read_body(request)
    try:
        said = await _answer(request, terms, body)
    except MarketplaceError as error:
        log.warning("click_call_failed", error=error.slug)
        said = Refusal(Code.BAD_REQUEST, shop.read_form(body)).answer()
    except Exception:
        log.exception("click_call_failed")
        said = Refusal(Code.BAD_REQUEST, shop.read_form(body)).answer()
    return JSONResponse(said, headers=NO_STORE)


async def _answer(request: Request, terms: Terms, body: bytes) -> dict[str, Any]:
    account = account_of(terms.settings)
    if account is None or not may_call(caller(request), parse_networks(terms.settings.click_allowed_ips)):
        log.warning("click_call_from_elsewhere", address=caller(request))
        return Refusal(Code.BAD_SIGN, shop.read_form(body)).answer()
    call = shop.receive(account, body)
    if isinstance(call, Refusal):
        return call.answer()
    platform = platform_of(request)
    # Not the request's own session: the answer must know whether the commit failed.
    async with platform.database.session() as session:
        return await click.answer(session, platform.internal, terms, account, call)
