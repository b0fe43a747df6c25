"""Payments with `PAYMENT_GATEWAY=live`, and Payme played by these tests."""

from collections.abc import AsyncIterator

import pytest

from marketplace.simulators.calls import PAYME_PATH, PaymeDesk
from marketplace.system import System, serving
from shared.http.server import listen
from tests.integration.conftest import SETTINGS
from tests.integration.payments.payme.playing import CHECKOUT, KEY, MERCHANT_ID, Payme
from tests.support.people import Person

LIVE = {
    "payment_gateway": "live",
    "payme_merchant_id": MERCHANT_ID,
    "payme_key": KEY,
    "payme_checkout_url": CHECKOUT,
}


@pytest.fixture(scope="module")
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    """As everywhere else, but for the settings."""
    with listen("127.0.0.1", 0) as public:
        async with serving(public, databases.__getitem__, {**SETTINGS, **LIVE}) as running:
            yield running


@pytest.fixture
def desk(system: System) -> PaymeDesk:
    return PaymeDesk(system.address + PAYME_PATH, KEY)


@pytest.fixture
async def payme(desk: PaymeDesk) -> AsyncIterator[Payme]:
    player = Payme(desk)
    yield player
    await player.sender.close()


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, str]:
    return await client.order((await worker.offer(price="100000.00"))["id"])
