"""Payments with `PAYMENT_GATEWAY=live`, and Payme played: by these tests, and by a server of this machine."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.servers import ClickSide, PaymeSide, provider_app
from marketplace.system import System, serving
from shared.http.server import listen
from tests.integration.conftest import SETTINGS
from tests.integration.payments.payme.playing import KEY, MERCHANT_ID, Order, Payme
from tests.support.asgi import serving_app
from tests.support.people import Person


@dataclass
class Stage:
    system: System
    payme: PaymeSide
    url: str
    """Of what is under `/payme`."""


@pytest.fixture(scope="module")
async def stage(databases: dict[str, str]) -> AsyncIterator[Stage]:
    with listen("127.0.0.1", 0) as public:
        ours = f"http://localhost:{public.getsockname()[1]}"
        payme = PaymeSide(MERCHANT_ID, PaymeDesk(ours + PAYME_PATH, KEY))
        click = ClickSide(1, ClickShop(ours + CLICK_PREPARE_PATH, ours + CLICK_COMPLETE_PATH, 1, "no key of Click's"))
        async with serving_app(provider_app(payme, click)) as url:
            live = {
                "payment_gateway": "live",
                "payme_merchant_id": MERCHANT_ID,
                "payme_key": KEY,
                "payme_checkout_url": f"{url}/payme",
            }
            async with serving(public, databases.__getitem__, {**SETTINGS, **live}) as running:
                yield Stage(running, payme, url)


@pytest.fixture(scope="module")
def system(stage: Stage) -> System:
    """As everywhere else, but for the settings."""
    return stage.system


@pytest.fixture
def desk(stage: Stage) -> PaymeDesk:
    return stage.payme.desk


@pytest.fixture
async def payme(desk: PaymeDesk) -> AsyncIterator[Payme]:
    player = Payme(desk)
    yield player
    await player.sender.close()


@pytest.fixture
async def order(client: Person, worker: Person) -> Order:
    return await client.order((await worker.offer(price="100000.00"))["id"])
