"""The SHOP-API as pure rules: Click's Prepare and Complete, from the bytes to the answer."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from urllib.parse import parse_qsl

from services.payments.providers.click import ClickAccount

COMMON = (
    "click_trans_id", "service_id", "click_paydoc_id", "merchant_trans_id", "amount", "action", "error", "error_note",
    "sign_time", "sign_string",
)  # fmt: skip
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)


class Code(IntEnum):
    SUCCESS = 0
    BAD_SIGN = -1
    WRONG_AMOUNT = -2
    NO_SUCH_ACTION = -3
    ALREADY_PAID = -4
    ORDER_NOT_FOUND = -5
    TRANSACTION_NOT_FOUND = -6
    NOT_UPDATED = -7
    BAD_REQUEST = -8
    CANCELLED = -9


NOTES: Mapping[int, str] = {
    Code.SUCCESS: "Success",
    Code.BAD_SIGN: "SIGN CHECK FAILED!",
    Code.WRONG_AMOUNT: "Incorrect parameter amount",
    Code.NO_SUCH_ACTION: "Action not found",
    Code.ALREADY_PAID: "Already paid",
    Code.ORDER_NOT_FOUND: "User does not exist",
    Code.TRANSACTION_NOT_FOUND: "Transaction does not exist",
    Code.NOT_UPDATED: "Failed to update user",
    Code.BAD_REQUEST: "Error in request from click",
    Code.CANCELLED: "Transaction cancelled",
}


class Action(IntEnum):
    PREPARE = 0
    COMPLETE = 1


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form as they were sent, byte for byte; empty for what is no form.

    What is not UTF-8 stays in it as surrogates: the signature is over the bytes.
    """
    try:
        pairs = parse_qsl(
            body.decode(errors="surrogateescape"), keep_blank_values=True, errors="surrogateescape", max_num_fields=50
        )
    except ValueError:
        return {}
    return dict(pairs)


def signature(form: Mapping[str, str], secret_key: str) -> str:
    """Of the strings as they were received: an amount that was written anew would not be signed any more."""
    prepare_id = form["merchant_prepare_id"] if form["action"] == "1" else ""
    parts = (
        form["click_trans_id"],
        form["service_id"],
        secret_key,
        form["merchant_trans_id"],
        prepare_id,
        form["amount"],
        form["action"],
        form["sign_time"],
    )
    return hashlib.md5("".join(parts).encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class ClickRequest:
    """A request whose signature is right."""

    action: Action
    click_trans_id: int
    paydoc_id: int
    """What the customer's SMS says, and what the Merchant API calls `payment_id`."""
    order_number: str
    amount: Decimal | None
    """So'm; None for what is no amount."""
    prepare_id: int | None
    """Complete alone has one; None for what is none."""
    error: int
    form: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """What a request is answered that is none of Click's, or none of ours."""

    code: Code
    form: Mapping[str, str]

    def answer(self) -> dict[str, Any]:
        return _answer(self.form, self.code)


def receive(account: ClickAccount, body: bytes) -> ClickRequest | Refusal:
    """The request, or why it is none: its fields, then its signature, then its action."""
    form = read_form(body)
    complete = form.get("action") == "1"
    if any(name not in form for name in COMMON) or (complete and "merchant_prepare_id" not in form):
        return Refusal(Code.BAD_REQUEST, form)
    given, expected = form["sign_string"].encode(errors="surrogateescape"), signature(form, account.secret_key).encode()
    if not account.secret_key or not hmac.compare_digest(given, expected):
        return Refusal(Code.BAD_SIGN, form)
    if form["action"] not in ("0", "1"):
        return Refusal(Code.NO_SUCH_ACTION, form)
    click_trans_id, paydoc_id, error = (_whole(form[name]) for name in ("click_trans_id", "click_paydoc_id", "error"))
    if click_trans_id is None or paydoc_id is None or error is None or form["service_id"] != str(account.service_id):
        return Refusal(Code.BAD_REQUEST, form)
    if not _is_storable(form["merchant_trans_id"]):
        return Refusal(Code.ORDER_NOT_FOUND, form)
    return ClickRequest(
        action=Action.COMPLETE if complete else Action.PREPARE,
        click_trans_id=click_trans_id,
        paydoc_id=paydoc_id,
        order_number=form["merchant_trans_id"],
        amount=Decimal(form["amount"]) if _AMOUNT.fullmatch(form["amount"]) else None,
        prepare_id=_whole(form["merchant_prepare_id"]) if complete else None,
        error=error,
        form=form,
    )


class Obstacle(StrEnum):
    """Why an order can't be prepared."""

    PAID = "paid"
    CANCELLED = "cancelled"
    BUSY = "busy"
    """Another attempt, of Click's or of another provider's, holds it."""


class State(StrEnum):
    WAITING = "waiting"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class ClickTransaction:
    """A transaction of Click's as we have stored it."""

    prepare_id: int
    click_trans_id: int
    order_number: str
    amount: Decimal
    state: State = State.WAITING
    confirm_id: int | None = None


class Do(StrEnum):
    OPEN = "open"
    """Hold the order and store the transaction."""
    CONFIRM = "confirm"
    """The money was taken: record it, whatever became of the order meanwhile."""
    CANCEL = "cancel"
    """Click gave up: release the order."""
    FLAG = "flag"
    """Click calls a payment failed that it had confirmed: keep it, and queue it for a person."""
    ANSWER = "answer"
    """Change nothing."""


@dataclass(frozen=True)
class Decision:
    do: Do
    code: int


def decide_prepare(
    account: ClickAccount,
    request: ClickRequest,
    total: Decimal | None,
    obstacle: Obstacle | None,
    transaction: ClickTransaction | None,
) -> Decision:
    """`total` of the order in so'm, None where there is none; `transaction` is the one of this `click_trans_id`.

    A repeat finds it and is answered the same.
    """
    if total is None or (transaction is not None and transaction.order_number != request.order_number):
        return Decision(Do.ANSWER, Code.ORDER_NOT_FOUND)
    if obstacle is Obstacle.PAID or (transaction is not None and transaction.state is State.CONFIRMED):
        return Decision(Do.ANSWER, Code.ALREADY_PAID)
    if request.amount != total:
        return Decision(Do.ANSWER, Code.WRONG_AMOUNT)
    if obstacle is Obstacle.CANCELLED or (transaction is not None and transaction.state is State.CANCELLED):
        return Decision(Do.ANSWER, Code.CANCELLED)
    if transaction is not None:
        return Decision(Do.ANSWER, Code.SUCCESS)
    if obstacle is Obstacle.BUSY:
        return Decision(Do.ANSWER, account.busy_code)
    return Decision(Do.OPEN, Code.SUCCESS)


def decide_complete(request: ClickRequest, order_exists: bool, transaction: ClickTransaction | None) -> Decision:
    """`transaction` is the one of this `merchant_prepare_id`.

    What became of the order is no matter: where Click has taken the money, a refusal would leave it hanging.
    """
    if not order_exists:
        return Decision(Do.ANSWER, Code.ORDER_NOT_FOUND)
    if (
        transaction is None
        or transaction.click_trans_id != request.click_trans_id
        or transaction.order_number != request.order_number
    ):
        return Decision(Do.ANSWER, Code.TRANSACTION_NOT_FOUND)
    if transaction.state is State.CONFIRMED:
        failed = request.error < 0
        return Decision(Do.FLAG, Code.CANCELLED) if failed else Decision(Do.ANSWER, Code.ALREADY_PAID)
    if request.amount != transaction.amount:
        return Decision(Do.ANSWER, Code.WRONG_AMOUNT)
    if transaction.state is State.CANCELLED:
        return Decision(Do.ANSWER, Code.CANCELLED)
    if request.error:
        return Decision(Do.CANCEL, Code.CANCELLED) if request.error < 0 else Decision(Do.ANSWER, Code.BAD_REQUEST)
    return Decision(Do.CONFIRM, Code.SUCCESS)


def answer(request: ClickRequest, code: int, transaction: ClickTransaction | None) -> dict[str, Any]:
    """What Click is told; the ids are those of `transaction` as it now is."""
    said = _answer(request.form, code)
    if transaction is not None:
        said["merchant_prepare_id"] = transaction.prepare_id
        if request.action is Action.COMPLETE:
            said["merchant_confirm_id"] = transaction.confirm_id
    return said


def _answer(form: Mapping[str, str], code: int) -> dict[str, Any]:
    said: dict[str, Any] = {
        "click_trans_id": _whole(form.get("click_trans_id", "")),
        "merchant_trans_id": form.get("merchant_trans_id", "").encode(errors="replace").decode(),
        "merchant_prepare_id": _whole(form.get("merchant_prepare_id", "")),
    }
    if form.get("action") == "1":
        said["merchant_confirm_id"] = None
    return said | {"error": int(code), "error_note": NOTES[code]}


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _is_storable(text: str) -> bool:
    return 0 < len(text) <= 64 and "\x00" not in text and text.isprintable()
