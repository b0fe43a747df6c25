"""Payme's Subscribe API, with books in memory. What its test cards do is theirs; some of their codes are a guess."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from marketplace.simulators.servers.faults import Faults

OTP = "666666"
BAD_CARDS = {"3333336415804657": -31300}
NO_SMS = {"8600060921090842": -31301}
UNPAYABLE = {"4444445987459073": -31630, "8600143417770323": -32400}
FROM_A_BROWSER = frozenset({"cards.create", "cards.get_verify_code", "cards.verify"})
CREATED, PAID, TO_BE_CANCELLED, CANCELLED = 0, 4, 21, 50


@dataclass
class Card:
    number: str
    expire: str
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    verified: bool = False

    def shown(self) -> dict[str, Any]:
        masked = f"{self.number[:6]}******{self.number[-4:]}"
        expire = f"{self.expire[:2]}/{self.expire[2:]}"
        known = {"number": masked, "expire": expire, "token": self.token, "recurrent": True, "verify": self.verified}
        return {"card": known}


@dataclass
class PaymeReceipt:
    amount: int
    """Tiyin."""
    account: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    state: int = CREATED
    create_time: int = field(default_factory=lambda: int(time.time() * 1000))
    debits: int = 0

    def shown(self) -> dict[str, Any]:
        account = [{"name": name, "title": name, "value": value} for name, value in self.account.items()]
        known = {"_id": self.id, "create_time": self.create_time, "state": self.state, "type": 1, "amount": self.amount}
        return {"receipt": {**known, "currency": 860, "account": account}}


@dataclass
class PaidOnPage:
    """A transaction of the Merchant API, which the checkout page began."""

    id: str
    order_number: str
    amount: int
    state: int


@dataclass
class PaymeBooks:
    cards: dict[str, Card] = field(default_factory=dict)
    receipts: dict[str, PaymeReceipt] = field(default_factory=dict)
    transactions: dict[str, PaidOnPage] = field(default_factory=dict)


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def payme_api(path: str, books: PaymeBooks, merchant_id: str, key: str, faults: Faults) -> Route:
    methods: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "cards.create": lambda params: _create_card(books, params["card"]),
        "cards.get_verify_code": lambda params: _send_code(_card(books, params)),
        "cards.verify": lambda params: _verify(_card(books, params), params["code"]),
        "cards.check": lambda params: _card(books, params).shown(),
        "cards.remove": lambda params: {"success": books.cards.pop(_card(books, params).token) is not None},
        "receipts.create": lambda params: _create_receipt(books, params),
        "receipts.pay": lambda params: _pay(_receipt(books, params), _card(books, params)),
        "receipts.cancel": lambda params: _cancel(_receipt(books, params)),
        "receipts.check": lambda params: {"state": _receipt(books, params).state},
        "receipts.get": lambda params: _receipt(books, params).shown(),
    }

    async def answer(request: Request) -> Response:
        call = json.loads(await request.body())
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": call.get("id")}
        try:
            auth = merchant_id if call["method"] in FROM_A_BROWSER else f"{merchant_id}:{key}"
            if request.headers.get("X-Auth", "") not in (auth, f"{merchant_id}:{key}"):
                raise _Refused(-32504, "Access denied")
            if faults.refuse is not None:
                raise _Refused(faults.refuse, "Refused")
            if call["method"] not in methods:
                raise _Refused(-32601, "Method not found")
            said["result"] = methods[call["method"]](call["params"])
        except _Refused as refusal:
            said["error"] = {"code": refusal.code, "message": refusal.message, "data": None}
        except (KeyError, TypeError):
            said["error"] = {"code": -32602, "message": "Invalid params", "data": None}
        return await faults.deliver(JSONResponse(said))

    return Route(path, answer, methods=["POST"])


def _card(books: PaymeBooks, params: dict[str, Any]) -> Card:
    if not (card := books.cards.get(params["token"])):
        raise _Refused(-31400, "Card not found")
    return card


def _receipt(books: PaymeBooks, params: dict[str, Any]) -> PaymeReceipt:
    if not (receipt := books.receipts.get(params["id"])):
        raise _Refused(-31602, "Receipt not found")
    return receipt


def _create_card(books: PaymeBooks, typed: dict[str, Any]) -> dict[str, Any]:
    number = str(typed["number"]).replace(" ", "")
    if number in BAD_CARDS or len(number) != 16 or not number.isdigit():
        raise _Refused(BAD_CARDS.get(number, -31300), "Wrong card number")
    card = Card(number, str(typed["expire"]).replace("/", ""))
    books.cards[card.token] = card
    return card.shown()


def _send_code(card: Card) -> dict[str, Any]:
    if card.number in NO_SMS:
        raise _Refused(NO_SMS[card.number], "SMS is off")
    return {"sent": True, "phone": "99890*****31", "wait": 60000}


def _verify(card: Card, code: str) -> dict[str, Any]:
    if code != OTP:
        raise _Refused(-31103, "Wrong code")
    card.verified = True
    return card.shown()


def _create_receipt(books: PaymeBooks, params: dict[str, Any]) -> dict[str, Any]:
    if type(params["amount"]) is not int or params["amount"] <= 0:
        raise _Refused(-31001, "Wrong amount")
    receipt = PaymeReceipt(params["amount"], dict(params["account"]))
    books.receipts[receipt.id] = receipt
    return receipt.shown()


def _pay(receipt: PaymeReceipt, card: Card) -> dict[str, Any]:
    if not card.verified:
        raise _Refused(-31400, "Card is not verified")
    if receipt.state != CREATED:
        raise _Refused(-31008, "This receipt can't be paid any more")
    if card.number in UNPAYABLE:
        raise _Refused(UNPAYABLE[card.number], "The card can't be debited")
    receipt.state = PAID
    receipt.debits += 1
    return receipt.shown()


def _cancel(receipt: PaymeReceipt) -> dict[str, Any]:
    receipt.state = TO_BE_CANCELLED if receipt.state == PAID else CANCELLED
    return receipt.shown()
