"""Cards by Payme's Subscribe API: a token is charged once, whatever becomes of the answers."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from marketplace.simulators.payme_play import new_id
from marketplace.simulators.servers.payme_api import CANCELLED, CREATED, PAID, TO_BE_CANCELLED, PaymeReceipt
from marketplace.system import System
from services.payments.providers import OutcomeUnknown
from services.payments.providers.payme.cards import PaymeCards
from services.payments.providers.payme.subscribe import PaymeSubscribeApi
from tests.integration.payments.books import accounts, assert_balanced, kinds, shown, when
from tests.integration.payments.payme.conftest import Stage
from tests.integration.payments.payme.playing import MERCHANT_ID, Order, Payme
from tests.support.people import Person, expect

GOOD, BROKE = "8600069195406311", "4444445987459073"


@pytest.fixture(autouse=True)
def faults(stage: Stage) -> Iterator[None]:
    yield
    stage.payme.faults.lose, stage.payme.faults.refuse = 0, None


@pytest.fixture
def api(system: System) -> PaymeSubscribeApi:
    cards = system.apps["payments"].state.providers.of("live", "card")
    assert isinstance(cards, PaymeCards)
    return cards._api


async def token_of(stage: Stage, number: str) -> str:
    """What Payme gives a browser that typed this card and the code of its SMS."""
    async with httpx.AsyncClient(base_url=stage.url, headers={"X-Auth": MERCHANT_ID}, trust_env=False) as browser:

        async def ask(method: str, **params: Any) -> str:
            answer = await browser.post("/payme/api", json={"id": 1, "method": method, "params": params})
            token: str = answer.json()["result"]["card"]["token"]
            return token

        created = await ask("cards.create", card={"number": number, "expire": "0399"}, save=True)
        return await ask("cards.verify", token=created, code="666666")


async def pay(stage: Stage, client: Person, order: Order, number: str = GOOD) -> dict[str, Any]:
    body = {"method": "card", "card": {"token": await token_of(stage, number)}}
    paid: dict[str, Any] = expect(await client.post(f"/api/payments/order/{order['id']}/pay/", body), 201)
    return paid


def receipts(stage: Stage, order: Order) -> list[PaymeReceipt]:
    """Of the order, as Payme has booked them."""
    return [r for r in stage.payme.books.receipts.values() if r.account == {"order_id": order["number"]}]


async def test_a_token_is_charged_by_a_receipt(stage: Stage, client: Person, order: Order) -> None:
    paid = await pay(stage, client, order)

    [receipt] = receipts(stage, order)
    assert (paid["status"], paid["transaction_id"]) == ("completed", receipt.id)
    assert (receipt.state, receipt.debits, receipt.amount) == (PAID, 1, 10_000_000)
    assert await accounts(stage.system, order["id"]) == {"clearing:card": "-100000.00", "escrow": "100000.00"}


async def test_a_card_that_can_not_pay_fails_and_the_next_one_pays(stage: Stage, client: Person, order: Order) -> None:
    failed = await pay(stage, client, order, BROKE)
    assert (failed["status"], failed["failure_code"]) == ("failed", "insufficient-funds")

    assert (await pay(stage, client, order))["status"] == "completed"


async def test_a_refusal_of_the_receipt_itself_fails(stage: Stage, client: Person, order: Order) -> None:
    token = await token_of(stage, GOOD)
    stage.payme.faults.refuse = -32504

    body = {"method": "card", "card": {"token": token}}
    failed = expect(await client.post(f"/api/payments/order/{order['id']}/pay/", body), 201)

    assert (failed["status"], failed["failure_code"], failed["transaction_id"]) == ("failed", "card-declined", None)


async def test_a_lost_answer_to_the_charge_is_asked_for_and_charges_no_second_time(
    stage: Stage, client: Person, order: Order, api: PaymeSubscribeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = api.pay

    async def lost(receipt_id: str, token: str) -> Any:
        stage.payme.faults.lose = 1
        return await asked(receipt_id, token)

    monkeypatch.setattr(api, "pay", lost)
    pending = await pay(stage, client, order)
    assert pending["status"] == "pending"

    await when(client, pending["id"], lambda seen: seen["status"] == "completed")

    assert [(receipt.state, receipt.debits) for receipt in receipts(stage, order)] == [(PAID, 1)]
    assert await kinds(stage.system, order["id"]) == ["payment"]


async def test_a_charge_that_never_came_to_be_is_voided_and_frees_the_order(
    stage: Stage, client: Person, order: Order, api: PaymeSubscribeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> Any:
        raise OutcomeUnknown("nobody knows")

    with monkeypatch.context() as patch:
        patch.setattr(api, "pay", dies)
        attempt = await pay(stage, client, order)
        seen = await when(client, attempt["id"], lambda seen: seen["status"] != "pending")

    assert (seen["status"], seen["failure_code"]) == ("failed", "voided")
    assert [receipt.state for receipt in receipts(stage, order)] == [CANCELLED]
    assert (await pay(stage, client, order))["status"] == "completed"


async def test_a_receipt_that_comes_after_the_void_is_never_paid(
    stage: Stage, client: Person, order: Order, api: PaymeSubscribeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = api.create

    async def late(*args: Any) -> Any:
        [attempt] = expect(await client.get("/api/payments/"), 200)["results"]
        await when(client, attempt["id"], lambda seen: seen["status"] == "failed")
        return await create(*args)

    monkeypatch.setattr(api, "create", late)

    assert (await pay(stage, client, order))["failure_code"] == "voided"
    assert [(receipt.state, receipt.debits) for receipt in receipts(stage, order)] == [(CREATED, 0)]


async def test_the_whole_goes_back_by_the_receipt_and_a_part_by_a_person(
    stage: Stage, client: Person, admin: Person, worker: Person, order: Order
) -> None:
    whole = await pay(stage, client, order)
    other = await client.order((await worker.offer(price="100000.00"))["id"])
    part = await pay(stage, client, other)

    back = expect(await admin.post(f"/api/payments/{whole['id']}/refund/", {}), 201)
    by_hand = expect(await admin.post(f"/api/payments/{part['id']}/refund/", {"amount": "1.00"}), 201)

    assert back["status"] == "completed"
    assert [receipt.state for receipt in receipts(stage, order)] == [TO_BE_CANCELLED]
    assert (by_hand["status"], by_hand["manual_reason"]) == ("manual", "part-of-a-receipt")
    assert [receipt.state for receipt in receipts(stage, other)] == [PAID]
    await assert_balanced(stage.system)


async def test_a_lost_answer_to_the_refund_is_asked_for(
    stage: Stage, client: Person, admin: Person, order: Order, api: PaymeSubscribeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel = api.cancel

    async def lost(receipt_id: str) -> Any:
        stage.payme.faults.lose = 1
        return await cancel(receipt_id)

    paid = await pay(stage, client, order)
    monkeypatch.setattr(api, "cancel", lost)
    assert expect(await admin.post(f"/api/payments/{paid['id']}/refund/", {}), 201)["status"] == "pending"

    await when(client, paid["id"], lambda seen: seen["status"] == "refunded")
    await assert_balanced(stage.system)


async def test_while_a_receipt_is_paid_payme_may_ask_the_merchant_api_about_it_and_about_no_other(
    stage: Stage,
    client: Person,
    order: Order,
    payme: Payme,
    api: PaymeSubscribeApi,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, told = api.pay, []

    async def drives_our_billing(receipt_id: str, token: str) -> Any:
        told.extend([await payme.check(order), await payme.create(order, new_id())])
        told.append((await payme.create(order, receipt_id))["state"])
        told.append((await payme.perform(receipt_id))["state"])
        return await asked(receipt_id, token)

    monkeypatch.setattr(api, "pay", drives_our_billing)
    paid = await pay(stage, client, order)

    assert told == [{"allow": True}, -31008, 1, 2]
    assert (paid["status"], paid["method"]) == ("completed", "card")
    assert await kinds(stage.system, order["id"]) == ["payment"]
    await assert_balanced(stage.system)
    [receipt] = receipts(stage, order)
    assert (await payme.cancel(receipt.id))["state"] == -2
    assert (await shown(client, paid["id"]))["status"] == "refunded"
