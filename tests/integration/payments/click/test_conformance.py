"""Click's own cases against payments as it is, through the gateway; and whatever else may be sent there."""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.simulators import click
from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import PlayOrder
from services.payments.providers.click import account_of
from services.payments.providers.click.shop import NOTES, ClickRequest, receive
from tests.integration.payments.books import accounts, assert_balanced
from tests.integration.payments.click.shopping import Stage, attempt_of
from tests.support.people import Person
from tests.support.provider_bodies import CLICK_FORM, click_bodies


@pytest.mark.parametrize("delivery", Delivery)
async def test_clicks_fifteen_cases_pass_however_they_are_delivered(
    stage: Stage, client: Person, worker: Person, delivery: Delivery
) -> None:
    service, orders = await worker.offer(), []

    async def next_order() -> PlayOrder:
        order = await client.order(service["id"])
        orders.append(order)
        return attempt_of(order).order

    report = await click.simulate(stage.click.shop, stage.sender, next_order, [delivery])

    assert not report.wrong, report.table()
    paid = [order for order in orders if await accounts(stage.system, order["id"])]
    assert paid == orders[: len(paid)]
    assert len(paid) == 2 or (len(paid) == 3 and delivery is Delivery.PARALLEL)  # its races may pay the third
    await assert_balanced(stage.system)


async def test_whatever_is_sent_is_answered_and_changes_nothing_unless_it_is_signed(
    stage: Stage, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    orders = [await client.order(service["id"]) for _ in range(2)]
    waiting = await stage.prepared(orders[0])
    account = account_of(stage.system.apps["payments"].state.settings)
    assert account
    known = CLICK_FORM | waiting.fields() | {"merchant_prepare_id": str(waiting.prepare_id)}
    forms = [known | {"action": "1"}, known | {"action": "0"}, CLICK_FORM | attempt_of(orders[1]).fields()]
    forms[2] |= {"action": "0"}
    bodies = st.one_of(*(click_bodies(form, account.secret_key) for form in forms))
    loop = asyncio.get_running_loop()

    seen: dict[str, Any] = {"rows": await stage.rows(*orders), "signed": 0, "forged": 0}

    with httpx.Client(base_url=stage.system.address, trust_env=False) as http:

        @settings(max_examples=1000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from([CLICK_PREPARE_PATH, CLICK_COMPLETE_PATH]), bodies)
        def send(path: str, body: bytes) -> None:
            answer = http.post(path, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["error"] in NOTES
            signed = isinstance(receive(account, body), ClickRequest)
            seen["signed" if signed else "forged"] += 1
            now = asyncio.run_coroutine_threadsafe(stage.rows(*orders), loop).result()
            assert signed or now == seen["rows"]
            seen["rows"] = now

        await asyncio.to_thread(send)

    assert seen["signed"] > 100
    assert seen["forged"] > 100
    await assert_balanced(stage.system)
