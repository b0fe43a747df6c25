"""Whatever is sent to where providers call, it is understood or refused in their own form, and never raises."""

import base64
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.providers.click import ClickAccount
from services.payments.providers.click.shop import (
    NOTES,
    ClickRequest,
    ClickTransaction,
    answer,
    decide_complete,
    decide_prepare,
    receive,
    signature,
)
from services.payments.providers.payme import PaymeAccount
from services.payments.providers.payme import rpc as payme
from services.payments.providers.payme.errors import PaymeError
from services.payments.providers.payme.rpc import Call, OrderParams

PAYME = PaymeAccount("m", keys=("test_key",))
CLICK = ClickAccount(777, merchant_id=5, merchant_user_id=6, secret_key="test_secret")
AUTHORIZED = "Basic UGF5Y29tOnRlc3Rfa2V5"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
METHODS = st.sampled_from([*payme.Method, "ChangePassword"]).map(str)
GOOD_PARAMS = {
    "id": "5305e3bab097f420a62ced0b",
    "time": 1399114284039,
    "amount": 500000,
    "account": {"order_id": "197"},
    "reason": 5,
    "from": 1,
    "to": 2,
    "type": "PERFORM",
    "fiscal_data": {"receipt_id": 1},
}
EDGES = st.sampled_from([-1, 0, 10**13, 2**31, 2**63, 2**64, 1.5, True, None, "", "5", "\x00", "x" * 65])


def usually(one: st.SearchStrategy[Any], *others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`one`, four times in five."""
    return st.integers(0, 4).flatmap(lambda drawn: st.one_of(*others) if drawn == 4 else one)


def spoiled(good: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """What is right but for up to two fields that hold something else; now and then one is missing."""
    names = st.sampled_from(sorted(good))
    changed = st.dictionaries(names, values, max_size=2).map(lambda some: good | some)
    missing = usually(st.just(""), names)
    return st.builds(lambda form, gone: {k: v for k, v in form.items() if k != gone}, changed, missing)


ACCOUNTS = EDGES.map(lambda value: {"order_id": value})
PARAMS = spoiled(GOOD_PARAMS, EDGES | JSON | ACCOUNTS)
CALL = st.fixed_dictionaries({"method": METHODS, "params": PARAMS, "id": st.integers(0, 2**64)})
REQUEST = CALL | st.builds(
    lambda call, other: call | other, CALL, st.dictionaries(st.sampled_from(["id", "method", "params"]), JSON)
)


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        return repr(value).encode(errors="replace")


BODY = usually(CALL.map(_dumps), REQUEST.map(_dumps), JSON.map(_dumps), st.binary(max_size=200))
BASIC = st.binary(max_size=40).map(lambda raw: "Basic " + base64.b64encode(raw).decode())
HEADER = usually(st.just(AUTHORIZED), st.none(), st.text(max_size=40), BASIC)


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(usually(st.just("POST"), st.sampled_from(["POST", "GET", "PUT"])), HEADER, BODY)
def test_payme_is_answered_whatever_it_sends(http_method: str, header: str | None, body: bytes) -> None:
    found = payme.receive(PAYME, http_method, header, body)
    if isinstance(found, Call):
        assert http_method == "POST"
        assert header == AUTHORIZED
        if isinstance(found.params, OrderParams):
            with suppress(PaymeError):
                assert "\x00" not in found.params.order_number
        return
    told = orjson.loads(orjson.dumps(found))
    assert set(told) == {"error", "id"}
    assert told["id"] is None or type(told["id"]) in (int, str)
    assert type(told["error"]["code"]) is int
    assert all(told["error"]["message"][language] for language in ("ru", "uz", "en"))
    if header != AUTHORIZED and http_method == "POST":
        assert told["error"]["code"] == -32504


GOOD_FORM = {
    "click_trans_id": "13001",
    "service_id": "777",
    "click_paydoc_id": "9001",
    "merchant_trans_id": "ord_1",
    "amount": "50000.00",
    "action": "1",
    "error": "0",
    "error_note": "Success",
    "sign_time": "2026-01-02 03:04:05",
    "merchant_prepare_id": "42",
}
NUMBERS = st.sampled_from(["-5017", "0", "1", "9" * 18, "9" * 19, "1e5", "NaN", "-0", "50000", "\u0661", "0x1", " 1"])
VALUES = NUMBERS | st.text(max_size=20) | st.binary(max_size=10)
FORM = spoiled(GOOD_FORM, VALUES)


def _encode(form: dict[str, Any]) -> bytes:
    return urlencode(form, errors="replace").encode()


def _sign(form: dict[str, Any]) -> dict[str, Any]:
    text = {
        name: value.decode(errors="surrogateescape")
        if isinstance(value, bytes)
        else value.encode(errors="replace").decode()
        for name, value in form.items()
    }
    return form | {"sign_string": signature(dict.fromkeys(GOOD_FORM, "") | text, CLICK.secret_key)}


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(usually(FORM.map(_sign).map(_encode), FORM.map(_encode), st.binary(max_size=200)))
def test_click_is_answered_whatever_it_sends(body: bytes) -> None:
    found = receive(CLICK, body)
    if isinstance(found, ClickRequest):
        waiting = ClickTransaction(42, found.click_trans_id, found.order_number, Decimal("50000.00"))
        for transaction in (None, waiting):
            decide_prepare(CLICK, found, Decimal("50000.00"), None, transaction)
            decision = decide_complete(found, order_exists=True, transaction=transaction)
            _look_at(answer(found, decision.code, transaction))
    else:
        _look_at(found.answer())


def _look_at(said: dict[str, Any]) -> None:
    told = orjson.loads(orjson.dumps(said))
    assert told["error"] in NOTES
    assert told["error_note"]
    assert isinstance(told["merchant_trans_id"], str)
    for name in ("click_trans_id", "merchant_prepare_id", "merchant_confirm_id"):
        assert type(told.get(name)) in (int, type(None))
