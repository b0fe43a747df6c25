"""Our clients and the providers' APIs, over real connections: what is done, what is refused, what nobody knows."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import httpx
import pytest

from marketplace.simulators.servers.click_api import PAID
from services.payments.providers import OutcomeUnknown
from services.payments.providers.click.merchant import ClickMerchantApi
from services.payments.providers.http import Refused
from services.payments.providers.payme.subscribe import PaymeSubscribeApi, declined_as
from tests.integration.simulators.conftest import Stage
from tests.integration.simulators.reference import CLICK, PAYME

AMOUNT = Decimal("150000.01")


@pytest.fixture
async def click(stage: Stage) -> AsyncIterator[ClickMerchantApi]:
    api = ClickMerchantApi(CLICK, url=f"{stage.url}/click/v2/merchant")
    yield api
    await api.close()


@pytest.fixture
async def payme(stage: Stage) -> AsyncIterator[PaymeSubscribeApi]:
    api = PaymeSubscribeApi(PAYME, url=f"{stage.url}/payme/api")
    yield api
    await api.close()


async def browser_token(stage: Stage, number: str = "8600 0691 9540 6311") -> str:
    """What Payme gives a browser that typed this card and the code of its SMS."""

    async def ask(method: str, **params: object) -> dict:
        headers = {"X-Auth": PAYME.merchant_id}
        answer = await stage.browser.post(
            "/payme/api", json={"id": 1, "method": method, "params": params}, headers=headers
        )
        return answer.json()["result"]

    token = (await ask("cards.create", card={"number": number, "expire": "0399"}, save=True))["card"]["token"]
    return (await ask("cards.verify", token=token, code="666666"))["card"]["token"]


async def test_click_tells_what_became_of_a_payment_by_its_number_and_by_its_order(
    stage: Stage, click: ClickMerchantApi
) -> None:
    booked = stage.click.books.open("№ 2026-1", AMOUNT)
    assert (await click.payment(booked.paydoc_id)).status == 0
    booked.status = PAID

    assert (await click.payment(booked.paydoc_id)).is_paid
    found = await click.payment_of_order("№ 2026-1", date.fromisoformat(booked.day))
    assert (found.payment_id, found.is_paid) == (booked.paydoc_id, True)


async def test_a_payment_that_there_is_not_is_refused(click: ClickMerchantApi) -> None:
    with pytest.raises(Refused) as refusal:
        await click.payment(1)
    assert refusal.value.code == -404


async def test_who_can_not_sign_is_refused(stage: Stage) -> None:
    api = ClickMerchantApi(replace(CLICK, secret_key="another"), url=f"{stage.url}/click/v2/merchant")
    with pytest.raises(Refused) as refusal:
        await api.payment(1)
    assert refusal.value.code == -401
    await api.close()


async def test_a_reversal_sends_the_whole_payment_back_once(stage: Stage, click: ClickMerchantApi) -> None:
    booked = stage.click.books.open("1", AMOUNT)
    booked.status = PAID

    await click.reverse(booked.paydoc_id)

    assert booked.reversals == 1
    assert (await click.payment(booked.paydoc_id)).has_failed
    with pytest.raises(Refused):
        await click.reverse(booked.paydoc_id)


async def test_a_reversal_whose_answer_is_lost_is_unknown_and_not_sent_again(
    stage: Stage, click: ClickMerchantApi
) -> None:
    booked = stage.click.books.open("1", AMOUNT)
    booked.status = PAID
    stage.click.faults.lose = 1

    with pytest.raises(OutcomeUnknown):
        await click.reverse(booked.paydoc_id)

    assert (booked.reversals, stage.click.faults.lose) == (1, 0)


async def test_a_reversal_on_a_kept_connection_that_breaks_is_not_sent_again() -> None:
    sent: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            sent.append(request.split()[0])
            if sent[-1] == b"DELETE":
                break
            body = b'{"error_code": 0, "payment_status": 2}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        api = ClickMerchantApi(CLICK, url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await api.payment(1)
        with pytest.raises(OutcomeUnknown):
            await api.reverse(1)
        await api.close()

    assert sent == [b"GET", b"DELETE"]


async def test_asking_again_is_safe_so_lost_answers_do_no_harm(stage: Stage, click: ClickMerchantApi) -> None:
    booked = stage.click.books.open("1", AMOUNT)
    stage.click.faults.lose = 2
    assert (await click.payment(booked.paydoc_id)).status == 0

    stage.click.faults.lose = 3
    with pytest.raises(OutcomeUnknown):
        await click.payment(booked.paydoc_id)
    assert stage.click.faults.lose == 0


async def test_of_all_answers_every_other_one_is_lost(stage: Stage, click: ClickMerchantApi) -> None:
    booked = [stage.click.books.open(str(number), AMOUNT) for number in range(4)]
    for one in booked:
        one.status = PAID
    stage.click.faults.lose_every_other = True

    outcomes = [await asyncio.gather(click.reverse(one.paydoc_id), return_exceptions=True) for one in booked]

    assert [one.reversals for one in booked] == [1, 1, 1, 1]
    assert sorted(isinstance(outcome, OutcomeUnknown) for [outcome] in outcomes) == [False, False, True, True]


async def test_who_takes_too_long_has_not_answered(stage: Stage) -> None:
    stage.click.faults.delay = 0.5
    api = ClickMerchantApi(CLICK, url=f"{stage.url}/click/v2/merchant", total=0.05)
    with pytest.raises(OutcomeUnknown):
        await api.payment(1)
    await api.close()


async def test_who_is_away_has_not_answered() -> None:
    api = ClickMerchantApi(CLICK, url="http://127.0.0.1:9")
    with pytest.raises(OutcomeUnknown):
        await api.reverse(1)
    await api.close()


async def test_a_card_is_charged_by_its_token_and_its_receipt(stage: Stage, payme: PaymeSubscribeApi) -> None:
    token = await browser_token(stage)
    card = await payme.check_card(token)
    assert (card.number, card.verify) == ("860006******6311", True)

    receipt = await payme.create("2026-000001", AMOUNT, "Leaking tap repair")
    assert (receipt.amount, receipt.is_paid) == (AMOUNT, False)
    assert (await payme.pay(receipt.id, token)).is_paid
    assert await payme.check(receipt.id) == 4

    assert (await payme.cancel(receipt.id)).is_cancelled
    assert (await payme.get(receipt.id)).is_cancelled
    await payme.remove_card(token)
    with pytest.raises(Refused):
        await payme.check_card(token)


async def test_a_charge_whose_answer_is_lost_is_unknown_and_found_by_its_receipt(
    stage: Stage, payme: PaymeSubscribeApi
) -> None:
    token = await browser_token(stage)
    receipt = await payme.create("2026-000001", AMOUNT, "")
    stage.payme.faults.lose = 1

    with pytest.raises(OutcomeUnknown):
        await payme.pay(receipt.id, token)

    assert await payme.check(receipt.id) == 4
    assert stage.payme.books.receipts[receipt.id].debits == 1
    with pytest.raises(Refused):
        await payme.pay(receipt.id, token)


@pytest.mark.parametrize(("number", "error"), [("4444445987459073", Refused), ("8600143417770323", OutcomeUnknown)])
async def test_a_card_that_does_not_pay_is_refused_unless_payme_itself_failed(
    stage: Stage, payme: PaymeSubscribeApi, number: str, error: type[Exception]
) -> None:
    token = await browser_token(stage, number)
    receipt = await payme.create("2026-000001", AMOUNT, "")
    with pytest.raises(error):
        await payme.pay(receipt.id, token)
    assert await payme.check(receipt.id) == 0


async def test_a_provider_that_refuses_is_believed(stage: Stage, payme: PaymeSubscribeApi) -> None:
    stage.payme.faults.refuse = -31001
    with pytest.raises(Refused) as refusal:
        await payme.create("2026-000001", AMOUNT, "")
    assert refusal.value.code == -31001
    assert declined_as(refusal.value) == "card-declined"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, json={"error_code": -1}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(404, json={"detail": "a proxy's"}),
        httpx.Response(200, json={"error_code": 0, "payment_status": "2"}),
    ],
)
async def test_an_answer_that_says_nothing_is_none(answer: httpx.Response, monkeypatch: pytest.MonkeyPatch) -> None:
    api = ClickMerchantApi(CLICK)

    async def request(*_: object, **__: object) -> httpx.Response:
        return answer

    monkeypatch.setattr(api._http._http, "request", request)
    with pytest.raises(OutcomeUnknown):
        await api.payment(1)
    await api.close()
