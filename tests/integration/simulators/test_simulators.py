"""The simulators find nothing wrong with a shop that follows the rules, and find out every one that does not."""

from collections.abc import AsyncIterator

import pytest

from marketplace.simulators import click, payme
from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import PlayOrder
from marketplace.simulators.report import Report
from marketplace.simulators.sender import Sender
from tests.integration.simulators.reference import CLICK, PAYME, ReferenceShop
from tests.support.asgi import serving_app

REPEATED = [delivery for delivery in Delivery if delivery is not Delivery.ONCE]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(pause=0.02)
    yield sender
    await sender.close()


async def play_payme(shop: ReferenceShop, sender: Sender, *deliveries: Delivery) -> Report:
    async with serving_app(shop.app()) as url:
        desk = PaymeDesk(url + PAYME_PATH, PAYME.keys[0])
        return await payme.simulate(desk, sender, _new_orders(shop), deliveries)


async def play_click(shop: ReferenceShop, sender: Sender, *deliveries: Delivery) -> Report:
    async with serving_app(shop.app()) as url:
        addresses = (url + CLICK_PREPARE_PATH, url + CLICK_COMPLETE_PATH)
        return await click.simulate(
            ClickShop(*addresses, CLICK.service_id, CLICK.secret_key), sender, _new_orders(shop), deliveries
        )


def _new_orders(shop: ReferenceShop):
    async def next_order() -> PlayOrder:
        order = shop.order()
        return PlayOrder(order.number, order.total)

    return next_order


@pytest.mark.parametrize("delivery", Delivery)
async def test_paymes_scripts_pass_against_the_rules(sender: Sender, delivery: Delivery) -> None:
    report = await play_payme(ReferenceShop(), sender, delivery)

    assert not report.wrong, report.table()
    assert {row.script for row in report.rows} >= {"refusals", "s1", "s2"}


@pytest.mark.parametrize("delivery", Delivery)
async def test_clicks_fifteen_cases_pass_against_the_rules(sender: Sender, delivery: Delivery) -> None:
    shop = ReferenceShop()

    report = await play_click(shop, sender, delivery)

    assert not report.wrong, report.table()
    assert [row.step.split()[0] for row in report.rows if row.step.split()[0].isdigit()] == [
        str(case) for case in range(1, 16)
    ]
    paid = sum(order.paid for order in shop.orders.values())
    assert paid == 2 or (paid == 3 and delivery is Delivery.PARALLEL)  # its races may pay the third
    assert shop.flagged


@pytest.mark.parametrize(
    ("mutant", "delivery"),
    [
        ("second answer differs", Delivery.TWICE),
        ("second answer differs", Delivery.LOST),
        ("second answer differs", Delivery.PARALLEL),
        ("looks before it locks", Delivery.PARALLEL),
        ("any key", Delivery.ONCE),
        ("any amount", Delivery.ONCE),
        ("order not freed", Delivery.ONCE),
        ("two at once", Delivery.ONCE),
        ("no time-out", Delivery.ONCE),
        ("lists all", Delivery.ONCE),
        ("forgets the id", Delivery.ONCE),
        ("honest status", Delivery.ONCE),
    ],
)
async def test_a_payme_shop_that_does_one_thing_wrong_is_found_out(
    sender: Sender, mutant: str, delivery: Delivery
) -> None:
    assert (await play_payme(ReferenceShop(mutant), sender, delivery)).wrong


@pytest.mark.parametrize(
    ("mutant", "delivery"),
    [
        ("second answer differs", Delivery.TWICE),
        ("second answer differs", Delivery.PARALLEL),
        ("looks before it locks", Delivery.PARALLEL),
        ("any signature", Delivery.ONCE),
        ("any amount", Delivery.ONCE),
        ("any prepare id", Delivery.ONCE),
        ("order not freed", Delivery.ONCE),
        ("un-pays", Delivery.ONCE),
    ],
)
async def test_a_click_shop_that_does_one_thing_wrong_is_found_out(
    sender: Sender, mutant: str, delivery: Delivery
) -> None:
    assert (await play_click(ReferenceShop(mutant), sender, delivery)).wrong


async def test_what_can_not_be_reached_is_wrong_and_no_accident(sender: Sender) -> None:
    shop = ReferenceShop()
    nowhere = PaymeDesk("http://127.0.0.1:9/", "k")

    report = await payme.simulate(nowhere, sender, _new_orders(shop), [Delivery.LOST])

    assert report.rows == report.wrong
