"""Click's own cases against payments as it is, through the gateway; and whatever else may be sent there."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.simulators import click
from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH
from marketplace.simulators.click import FORGERY
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import PlayOrder
from services.payments.providers.click.shop import NOTES, read_form
from tests.integration.payments.books import accounts, assert_balanced
from tests.integration.payments.click.shopping import SECRET_KEY, Stage, attempt_of
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


@pytest.mark.timeout(300)  # a thousand calls, also on a busy machine
async def test_whatever_is_sent_is_answered_and_changes_nothing_unless_it_is_signed(
    stage: Stage, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    orders = [await client.order(service["id"]) for _ in range(4)]
    # Two for each, one of them begun: what is forged finds nothing that the signed ones have ended.
    signed_forms, forged_forms = await _forms(stage, *orders[:2]), await _forms(stage, *orders[2:])
    bodies = st.one_of(
        *(click_bodies(form, SECRET_KEY) for form in signed_forms),
        *(click_bodies(form, FORGERY) for form in forged_forms),
    )
    loop = asyncio.get_running_loop()

    seen: dict[str, Any] = {"rows": await stage.rows(*orders), "signed": 0, "forged": 0}

    with httpx.Client(base_url=stage.system.address, trust_env=False) as http:

        @settings(max_examples=1000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from([CLICK_PREPARE_PATH, CLICK_COMPLETE_PATH]), bodies)
        def send(path: str, body: bytes) -> None:
            answer = http.post(path, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["error"] in NOTES
            signed = is_signed(body, SECRET_KEY)
            seen["signed" if signed else "forged"] += 1
            now = asyncio.run_coroutine_threadsafe(stage.rows(*orders), loop).result()
            assert signed or now == seen["rows"]
            seen["rows"] = now

        await asyncio.to_thread(send)

    assert seen["signed"] > 100
    assert seen["forged"] > 100
    await assert_balanced(stage.system)


async def _forms(stage: Stage, begun: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Complete and Prepare of the first order, which is begun, and Prepare of the second."""
    waiting = await stage.prepared(begun)
    known = CLICK_FORM | waiting.fields() | {"merchant_prepare_id": str(waiting.prepare_id)}
    return [known | {"action": "1"}, known | {"action": "0"}, CLICK_FORM | attempt_of(new).fields() | {"action": "0"}]


def is_signed(body: bytes, secret_key: str) -> bool:
    """As Click's documents have it, and without what is tested."""
    form = read_form(body)
    prepare_id = form.get("merchant_prepare_id", "") if form.get("action") == "1" else ""
    before, after = ("click_trans_id", "service_id"), ("amount", "action", "sign_time")
    parts = [*(form.get(name, "") for name in before), secret_key, form.get("merchant_trans_id", ""), prepare_id]
    text = "".join([*parts, *(form.get(name, "") for name in after)])
    digest = hashlib.md5(text.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
    return form.get("sign_string") == digest
