"""Click's Merchant API, with books in memory. The codes of its refusals are made up: no document lists them."""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from marketplace.simulators.calls import ClickShop
from marketplace.simulators.servers.faults import Faults

CREATED, PROCESSING, PAID, REVERSED = 0, 1, 2, -1
"""Payment statuses; the documents say of failed ones only that they are negative."""
TASHKENT = timezone(timedelta(hours=5))
CLOCK_SKEW = 300


@dataclass
class ClickBooked:
    paydoc_id: int
    click_trans_id: int
    order_number: str
    amount: Decimal
    status: int = CREATED
    day: str = field(default_factory=lambda: datetime.now(TASHKENT).date().isoformat())
    reversals: int = 0


@dataclass
class ClickBooks:
    payments: dict[int, ClickBooked] = field(default_factory=dict)
    """By paydoc id."""
    _ids: "count[int]" = field(default_factory=lambda: count(int(time.time() * 1000)))
    """New ones also after a restart."""

    def open(self, order_number: str, amount: Decimal) -> ClickBooked:
        payment = ClickBooked(next(self._ids), next(self._ids), order_number, amount)
        self.payments[payment.paydoc_id] = payment
        return payment


class _Refused(Exception):
    def __init__(self, status: int, code: int, note: str) -> None:
        super().__init__(note)
        self.status, self.code, self.note = status, code, note


def click_api(books: ClickBooks, shop: ClickShop, merchant_user_id: int, faults: Faults) -> list[Route]:
    """The routes below `…/v2/merchant`."""

    def route(path: str, method: str, do: Callable[[ClickBooks, Request], dict[str, Any]]) -> Route:
        async def answer(request: Request) -> Response:
            try:
                _authorize(request, merchant_user_id, shop.secret_key)
                if request.path_params["service_id"] != shop.service_id:
                    raise _Refused(403, -403, "Not your service")
                if faults.refuse is not None:
                    raise _Refused(400, faults.refuse, "Refused")
                said = JSONResponse({"error_code": 0, "error_note": "Success", **do(books, request)})
            except _Refused as refusal:
                said = JSONResponse({"error_code": refusal.code, "error_note": refusal.note}, refusal.status)
            return await faults.deliver(said)

        return Route(path, answer, methods=[method])

    return [
        route("/payment/status/{service_id:int}/{payment_id:int}", "GET", _status),
        route("/payment/status_by_mti/{service_id:int}/{order_number}/{day}", "GET", _status_by_mti),
        route("/payment/reversal/{service_id:int}/{payment_id:int}", "DELETE", _reverse),
    ]


def _booked(books: ClickBooks, request: Request) -> ClickBooked:
    payment = books.payments.get(request.path_params["payment_id"])
    if payment is None:
        raise _Refused(404, -404, "Payment not found")
    return payment


def _status(books: ClickBooks, request: Request) -> dict[str, Any]:
    payment = _booked(books, request)
    return {"payment_id": payment.paydoc_id, "payment_status": payment.status}


def _status_by_mti(books: ClickBooks, request: Request) -> dict[str, Any]:
    wanted = (request.path_params["order_number"], request.path_params["day"])
    found = [payment for payment in books.payments.values() if (payment.order_number, payment.day) == wanted]
    if not found:
        raise _Refused(404, -404, "Payment not found")
    return {"payment_id": found[-1].paydoc_id, "payment_status": found[-1].status}


def _reverse(books: ClickBooks, request: Request) -> dict[str, Any]:
    payment = _booked(books, request)
    if payment.status != PAID:
        raise _Refused(406, -406, "Only a successful payment can be reversed")
    payment.status = REVERSED
    payment.reversals += 1
    return {"payment_id": payment.paydoc_id}


def _authorize(request: Request, merchant_user_id: int, secret_key: str) -> None:
    user, _, rest = request.headers.get("Auth", "").partition(":")
    digest, _, timestamp = rest.partition(":")
    expected = hashlib.sha1(f"{timestamp}{secret_key}".encode(), usedforsecurity=False).hexdigest()
    fresh = timestamp.isdigit() and len(timestamp) == 10 and abs(time.time() - int(timestamp)) < CLOCK_SKEW
    if user != str(merchant_user_id) or not fresh or not hmac.compare_digest(digest.encode(), expected.encode()):
        raise _Refused(401, -401, "Unauthorized")
