"""The whole system with live payments, and Click beside it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.sender import Sender
from marketplace.simulators.servers import ClickSide, PaymeSide, provider_app
from marketplace.system import System, serving
from shared.http.server import listen
from tests.integration.conftest import SETTINGS
from tests.integration.payments.click.shopping import SECRET_KEY, Stage
from tests.integration.payments.providers import Page
from tests.support.asgi import serving_app
from tests.support.people import Person

SERVICE_ID, MERCHANT_ID, MERCHANT_USER_ID = 777, 5, 6


@pytest.fixture(scope="module")
async def stage(databases: dict[str, str]) -> AsyncIterator[Stage]:
    sender = Sender(pause=0.02)
    with listen("127.0.0.1", 0) as public:
        address = f"http://127.0.0.1:{public.getsockname()[1]}"
        urls = (address + CLICK_PREPARE_PATH, address + CLICK_COMPLETE_PATH)
        click = ClickSide(MERCHANT_USER_ID, ClickShop(*urls, SERVICE_ID, SECRET_KEY))
        payme = PaymeSide("nobody", PaymeDesk(address + PAYME_PATH, "none"))
        async with serving_app(provider_app(payme, click)) as url:
            live = {
                "payment_gateway": "live",
                "click_service_id": SERVICE_ID,
                "click_merchant_id": MERCHANT_ID,
                "click_merchant_user_id": MERCHANT_USER_ID,
                "click_secret_key": SECRET_KEY,
                "click_checkout_url": url + "/click/services/pay",
                "click_api_url": url + "/click/v2/merchant",
            }
            async with serving(public, databases.__getitem__, {**SETTINGS, **live}) as running:
                state = running.apps["payments"].state
                # Another way to pay: which one is no matter here.
                of_methods = {**state.providers.of_methods, ("live", "payme"): Page()}
                state.providers = replace(state.providers, of_methods=of_methods)
                yield Stage(running, click, sender)
    await sender.close()


@pytest.fixture(scope="module")
def system(stage: Stage) -> System:
    return stage.system


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer())["id"])
