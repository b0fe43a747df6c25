"""The local pages of the providers, as a person's browser walks through them."""

from decimal import Decimal
from urllib.parse import urlsplit

import httpx
import pytest

from services.payments.providers.click import pay_link
from services.payments.providers.payme.checkout import checkout_link
from tests.integration.simulators.conftest import Stage
from tests.integration.simulators.reference import CLICK, PAYME, Order

BACK = "http://localhost:3000/done?a=1"


def address(order: Order, method: str, *, back: str | None = BACK, amount: Decimal | None = None) -> str:
    """The link that a client gets, at the local page."""
    amount = amount or order.total
    if method == "payme":
        link = checkout_link(PAYME, order.number, amount, return_url=back).replace(PAYME.checkout_url, "/payme")
    else:
        parts = urlsplit(pay_link(CLICK, order.number, amount, return_url=back))
        link = f"/click{parts.path}?{parts.query}"
    return link


async def choose(stage: Stage, link: str, what: str) -> httpx.Response:
    return await stage.browser.post(link, data={"do": what})


@pytest.mark.parametrize("method", ["payme", "click"])
async def test_the_page_shows_what_is_to_be_paid_and_loads_nothing(stage: Stage, method: str) -> None:
    page = await stage.browser.get(address(stage.shop.order("<b>&1"), method))

    assert page.status_code == 200
    assert "150000.00" in page.text
    assert "&lt;b&gt;&amp;1" in page.text
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("method", ["payme", "click"])
async def test_pay_pays_the_order_and_leads_back(stage: Stage, method: str) -> None:
    order = stage.shop.order()

    answer = await choose(stage, address(order, method), "pay")

    assert (answer.status_code, answer.headers.get("Location")) == (303, BACK)
    assert order.paid
    again = await choose(stage, address(order, method), "pay")
    assert again.status_code == 200
    assert "paid" in again.text


@pytest.mark.parametrize("method", ["payme", "click"])
async def test_cancel_leads_back_and_pays_nothing(stage: Stage, method: str) -> None:
    order = stage.shop.order()

    answer = await choose(stage, address(order, method), "cancel")

    assert (answer.status_code, answer.headers.get("Location")) == (303, BACK)
    assert not order.paid


@pytest.mark.parametrize("shift", ["", "a", "aa"])
async def test_a_payme_link_may_hold_a_slash_where_base64_has_one(stage: Stage, shift: str) -> None:
    order, back = stage.shop.order(), f"http://localhost:3000/{shift}????>>>>"
    link = address(order, "payme", back=back)
    assert link.count("/") > 2

    assert (await choose(stage, link, "pay")).headers["Location"] == back.replace(">", "%3E")


@pytest.mark.parametrize("method", ["payme", "click"])
async def test_a_wrong_amount_is_told_and_pays_nothing(stage: Stage, method: str) -> None:
    order = stage.shop.order()

    answer = await choose(stage, address(order, method, amount=Decimal("1.00")), "pay")

    assert "amount" in answer.text
    assert not order.paid


@pytest.mark.parametrize("method", ["payme", "click"])
async def test_without_a_way_back_it_just_says_so(stage: Stage, method: str) -> None:
    order = stage.shop.order()
    answer = await choose(stage, address(order, method, back="javascript:alert(1)"), "pay")
    assert answer.status_code == 200
    assert order.paid


@pytest.mark.parametrize(
    "link", ["/payme/x", "/payme/bT0xO2E9MQ==", "/click/services/pay", "/click/services/pay?amount=x"]
)
async def test_what_is_no_link_of_ours_is_told_so(stage: Stage, link: str) -> None:
    assert (await stage.browser.get(link)).status_code == 400


async def test_what_was_paid_by_payme_is_sent_back_from_its_cabinet(stage: Stage) -> None:
    order = stage.shop.order()
    await choose(stage, address(order, "payme"), "pay")
    [paid] = stage.payme.books.transactions.values()
    assert order.number in (await stage.browser.get("/payme/cabinet/")).text

    answer = await stage.browser.post(f"/payme/cabinet/refund/{paid.id}")

    assert answer.headers["Location"] == "/payme/cabinet/"
    assert stage.shop.payme[paid.id].state == -2
    assert not order.paid


async def test_what_was_paid_on_clicks_page_is_known_to_its_merchant_api(stage: Stage) -> None:
    await choose(stage, address(stage.shop.order(), "click"), "pay")
    [booked] = stage.click.books.payments.values()
    assert booked.status == 2
