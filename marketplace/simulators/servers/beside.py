"""Payme and Click beside a marketplace of this machine, so that a person can pay without an account at either."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.servers import ClickSide, PaymeSide, provider_app
from shared.http.server import Server, listen, server_config

MERCHANT = "simulated"
SERVICE_ID = MERCHANT_ID = MERCHANT_USER_ID = 1


@asynccontextmanager
async def played_providers(gateway: str) -> AsyncIterator[Mapping[str, Any]]:
    """Play both on a port of this machine, against the gateway at that address; yields the settings by which payments
    takes them for the real ones. Keys are made anew at each start: nobody else can say what was paid."""
    payme_key, click_key = secrets.token_urlsafe(27), secrets.token_urlsafe(27)
    desk = PaymeDesk(gateway + PAYME_PATH, payme_key)
    shop = ClickShop(gateway + CLICK_PREPARE_PATH, gateway + CLICK_COMPLETE_PATH, SERVICE_ID, click_key)
    with listen("127.0.0.1", 0) as sock:
        address = f"http://localhost:{sock.getsockname()[1]}"
        server = Server(server_config(provider_app(PaymeSide(MERCHANT, desk), ClickSide(MERCHANT_USER_ID, shop))))
        serving = asyncio.create_task(server.serve([sock]))
        try:
            await server.started_up(serving)
            yield {
                "payment_gateway": "live",
                "payme_merchant_id": MERCHANT,
                "payme_key": payme_key,
                "payme_checkout_url": f"{address}/payme",
                "click_service_id": SERVICE_ID,
                "click_merchant_id": MERCHANT_ID,
                "click_merchant_user_id": MERCHANT_USER_ID,
                "click_secret_key": click_key,
                "click_checkout_url": f"{address}/click/services/pay",
                "click_api_url": f"{address}/click/v2/merchant",
            }
        finally:
            server.should_exit = True
            await serving
