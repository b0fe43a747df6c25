from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.servers import ClickSide, PaymeSide, provider_app
from tests.integration.simulators.reference import CLICK, PAYME, ReferenceShop
from tests.support.asgi import serving_app


@dataclass
class Stage:
    """A shop that follows the rules, the providers that it deals with, and a browser."""

    shop: ReferenceShop
    payme: PaymeSide
    click: ClickSide
    url: str
    """Of the providers."""
    browser: httpx.AsyncClient


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    shop = ReferenceShop()
    async with serving_app(shop.app()) as merchant:
        payme = PaymeSide(PAYME.merchant_id, PaymeDesk(merchant + PAYME_PATH, PAYME.keys[0]))
        addresses = (merchant + CLICK_PREPARE_PATH, merchant + CLICK_COMPLETE_PATH)
        click = ClickSide(CLICK.merchant_user_id, ClickShop(*addresses, CLICK.service_id, CLICK.secret_key))
        async with serving_app(provider_app(payme, click)) as url, httpx.AsyncClient(base_url=url) as browser:
            yield Stage(shop, payme, click, url, browser)
