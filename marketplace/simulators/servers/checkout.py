"""The pages of Payme and Click on which a person pays, and Payme's cabinet, where a merchant sends money back.

"Pay" calls our endpoints in the order in which the provider does, then the browser goes to the return address.
"""

import base64
import html
import secrets
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from marketplace.simulators.calls import ClickShop, PaymeDesk
from marketplace.simulators.sender import Request as Sent
from marketplace.simulators.sender import Sender
from marketplace.simulators.servers.click_api import PAID, PROCESSING, REVERSED, ClickBooks
from marketplace.simulators.servers.payme_api import PaidOnPage, PaymeBooks

STYLE = "body{font:16px sans-serif;max-width:28em;margin:4em auto;padding:0 1em}button{font:inherit;padding:.5em 1.5em}"
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}


class _Failed(Exception):
    """What the payer is told."""


def payme_checkout(path: str, books: PaymeBooks, desk: PaymeDesk, merchant_id: str, sender: Sender) -> Route:
    """`…/payme/<base64>`, the address that a checkout link leads to."""

    async def page(request: Request) -> Response:
        try:
            said = _decoded(request.path_params["said"])
            order_number, tiyin = said[f"ac.{desk.account_field}"], int(said["a"])
        except (ValueError, KeyError):
            return _told("Payme", "This is no checkout link.", 400)
        if said.get("m") != merchant_id:
            return _told("Payme", "There is no such merchant (-31601).", 400)
        if request.method == "GET":
            return _asked("Payme", order_number, Decimal(tiyin) / 100)
        try:
            if await _chose_to_pay(request):
                await _pay_by_payme(books, desk, sender, PaidOnPage(secrets.token_hex(12), order_number, tiyin, 1))
        except _Failed as failure:
            return _told("Payme", str(failure), 200)
        return _back("Payme", said.get("c", ""))

    return Route(path, page, methods=["GET", "POST"])


async def _pay_by_payme(books: PaymeBooks, desk: PaymeDesk, sender: Sender, paid: PaidOnPage) -> None:
    order = {"amount": paid.amount, "account": desk.account(paid.order_number)}
    await _payme(sender, desk.call("CheckPerformTransaction", order))
    await _payme(sender, desk.call("CreateTransaction", {"id": paid.id, "time": int(time.time() * 1000), **order}))
    books.transactions[paid.id] = paid
    try:
        await _payme(sender, desk.call("PerformTransaction", {"id": paid.id}))
    except _Failed:
        result = await _payme(sender, desk.call("CancelTransaction", {"id": paid.id, "reason": 3}))
        paid.state = result["state"]
        raise
    paid.state = 2


async def _payme(sender: Sender, call: Sent) -> dict[str, Any]:
    said = await _ask("Payme", sender, call)
    if error := said.get("error"):
        message = error.get("message")
        raise _Failed(f"{message.get('en') if isinstance(message, dict) else message} ({error.get('code')})")
    result: dict[str, Any] = said["result"]
    return result


def payme_cabinet(path: str, books: PaymeBooks, desk: PaymeDesk, sender: Sender) -> list[Route]:
    """What was paid on the page, each with a button that sends the money back."""

    async def listed(_: Request) -> Response:
        rows = [
            f"<p>{html.escape(paid.order_number)}: {Decimal(paid.amount) / 100:.2f} UZS, state {paid.state}</p>"
            + (_form(f"refund/{paid.id}", {"refund": "Send back"}) if paid.state == 2 else "")
            for paid in books.transactions.values()
        ]
        return _page("Payme's cabinet", "".join(rows) or "<p>Nothing was paid yet.</p>")

    async def refund(request: Request) -> Response:
        paid = books.transactions.get(request.path_params["id"])
        if paid is None:
            return _told("Payme's cabinet", "There is no such payment.", 404)
        try:
            paid.state = (await _payme(sender, desk.call("CancelTransaction", {"id": paid.id, "reason": 5})))["state"]
        except _Failed as failure:
            return _told("Payme's cabinet", str(failure), 200)
        return RedirectResponse(request.url_for("listed").path, 303)

    return [
        Route(path, listed, methods=["GET"], name="listed"),
        Route(path + "refund/{id}", refund, methods=["POST"]),
    ]


def click_checkout(path: str, books: ClickBooks, shop: ClickShop, sender: Sender) -> Route:
    """`…/click/services/pay?service_id=…`, the address that a pay link leads to."""

    async def page(request: Request) -> Response:
        said = dict(request.query_params)
        try:
            order_number, amount = said["transaction_param"], Decimal(said["amount"])
        except (KeyError, InvalidOperation):
            return _told("Click", "This is no pay link.", 400)
        if said.get("service_id") != str(shop.service_id):
            return _told("Click", "There is no such service.", 400)
        if request.method == "GET":
            return _asked("Click", order_number, amount)
        try:
            if await _chose_to_pay(request):
                await _pay_by_click(books, shop, sender, order_number, amount)
        except _Failed as failure:
            return _told("Click", str(failure), 200)
        return _back("Click", said.get("return_url", ""))

    return Route(path, page, methods=["GET", "POST"])


async def _pay_by_click(books: ClickBooks, shop: ClickShop, sender: Sender, order_number: str, amount: Decimal) -> None:
    payment = books.open(order_number, amount)
    fields = {
        "click_trans_id": str(payment.click_trans_id),
        "click_paydoc_id": str(payment.paydoc_id),
        "merchant_trans_id": order_number,
        "amount": f"{amount:.2f}",
        "error": "0",
        "error_note": "Success",
        "sign_time": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    try:
        prepared = await _click(sender, shop.prepare(fields))
    except _Failed:
        payment.status = REVERSED
        raise
    payment.status = PROCESSING
    await _click(sender, shop.complete(fields, str(prepared.get("merchant_prepare_id"))))
    payment.status = PAID


async def _click(sender: Sender, call: Sent) -> dict[str, Any]:
    said = await _ask("Click", sender, call)
    if said.get("error") != 0:
        raise _Failed(f"{said.get('error_note')} ({said.get('error')})")
    return said


async def _ask(provider: str, sender: Sender, call: Sent) -> dict[str, Any]:
    try:
        [answer] = await sender.send(call)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _Failed(f"{provider} can't reach the merchant: {type(error).__name__}") from error
    if not answer.is_success or not isinstance(said, dict):
        raise _Failed(f"{provider} got no answer from the merchant: HTTP {answer.status_code}")
    return said


def _decoded(said: str) -> dict[str, str]:
    """Raises `ValueError`."""
    pairs = [pair.partition("=") for pair in base64.b64decode(said, validate=True).decode().split(";")]
    return {name: value for name, _, value in pairs}


async def _chose_to_pay(request: Request) -> bool:
    return dict(parse_qsl((await request.body()).decode(errors="replace"))).get("do") == "pay"


def _asked(provider: str, order_number: str, amount: Decimal) -> Response:
    words = f"<p>Order {html.escape(order_number)}</p><p><b>{amount:.2f} UZS</b></p>"
    return _page(provider, words + _form("", {"pay": "Pay", "cancel": "Cancel"}))


def _told(provider: str, words: str, status: int) -> Response:
    return _page(provider, f"<p>{html.escape(words)}</p>", status)


def _back(provider: str, return_url: str) -> Response:
    if urlsplit(return_url).scheme in ("http", "https"):
        return RedirectResponse(return_url, 303)
    return _told(provider, "Done. You may close this page.", 200)


def _form(action: str, buttons: Mapping[str, str]) -> str:
    inner = " ".join(f'<button name="do" value="{value}">{words}</button>' for value, words in buttons.items())
    target = f' action="{html.escape(action)}"' if action else ""
    return f'<form method="post"{target}>{inner}</form>'


def _page(provider: str, body: str, status: int = 200) -> Response:
    note = "<p><small>A page of this machine that plays the provider: no money moves.</small></p>"
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>{provider}</title><style>{STYLE}</style>"
    return HTMLResponse(f"{text}<h1>{provider}</h1>{body}{note}", status, HEADERS)
