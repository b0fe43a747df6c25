"""A person pays on Payme's page, and another sends the money back in its cabinet."""

import httpx

from tests.integration.payments.books import accounts, assert_balanced, shown, when
from tests.integration.payments.payme.conftest import Stage
from tests.integration.payments.payme.playing import Order
from tests.support.people import Person, expect


async def test_what_is_paid_on_the_page_is_sent_back_in_the_cabinet(
    stage: Stage, client: Person, admin: Person, order: Order
) -> None:
    opened = expect(await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": "payme"}), 201)
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert order["number"] in (await browser.get(opened["checkout_url"])).text
        await browser.post(opened["checkout_url"], data={"do": "pay"})

        paid = await shown(client, opened["id"])
        assert paid["status"] == "completed"
        expect(await client.move(order["id"], "cancelled"), 200)
        await when(client, opened["id"], lambda seen: [r["status"] for r in seen["refunds"]] == ["manual"])
        await browser.post(f"{stage.url}/payme/cabinet/refund/{paid['transaction_id']}")

    assert (await shown(client, opened["id"]))["status"] == "refunded"
    assert await accounts(stage.system, order["id"]) == {}
    await assert_balanced(stage.system)
