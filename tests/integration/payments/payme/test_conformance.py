"""Payme's sandbox, played as it is over HTTP and through the gateway: every call once, twice, slowly, at once, and with
its answer lost."""

from decimal import Decimal

import pytest

from marketplace.simulators import payme
from marketplace.simulators.calls import PaymeDesk
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import PlayOrder
from marketplace.simulators.sender import Sender
from marketplace.system import System
from tests.integration.payments.books import assert_balanced
from tests.support.people import Person


@pytest.mark.parametrize("delivery", Delivery)
async def test_paymes_scripts_pass(
    system: System, desk: PaymeDesk, client: Person, worker: Person, delivery: Delivery
) -> None:
    service = await worker.offer(price="150000.00")
    sender = Sender(pause=0.05)

    async def next_order() -> PlayOrder:
        order = await client.order(service["id"])
        return PlayOrder(order["number"], Decimal(order["total"]))

    try:
        report = await payme.simulate(desk, sender, next_order, [delivery])
    finally:
        await sender.close()

    assert not report.wrong, report.table()
    assert {row.script for row in report.rows} >= {"refusals", "s1", "s2"}
    await assert_balanced(system)
