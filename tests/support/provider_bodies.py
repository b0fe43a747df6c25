"""What may be sent to where providers call, right and wrong: strategies for fuzz tests of the rules and the routes."""

import base64
from typing import Any
from urllib.parse import urlencode

import orjson
from hypothesis import strategies as st

from services.payments.providers.click.shop import signature
from services.payments.providers.payme.rpc import Method

Values = st.SearchStrategy[Any]

JSON: Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
EDGES = st.sampled_from([-1, 0, 10**13, 2**31, 2**63, 2**64, 1.5, True, None, "", "5", "\x00", "x" * 65])
NUMBERS = st.sampled_from(["-5017", "0", "1", "9" * 18, "9" * 19, "1e5", "NaN", "-0", "50000", "\u0661", "0x1", " 1"])

PAYME_PARAMS = {
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
CLICK_FORM = {
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


def usually(one: Values, *others: Values) -> Values:
    """`one`, four times in five."""
    return st.integers(0, 4).flatmap(lambda drawn: st.one_of(*others) if drawn == 4 else one)


def spoiled(good: dict[str, Any], values: Values) -> Values:
    """What is right but for up to two fields that hold something else; now and then one is missing."""
    names = st.sampled_from(sorted(good))
    changed = st.dictionaries(names, values, max_size=2).map(lambda some: good | some)
    missing = usually(st.just(""), names)
    return st.builds(lambda form, gone: {k: v for k, v in form.items() if k != gone}, changed, missing)


def payme_bodies(params: dict[str, Any]) -> Values:
    """Bodies of Merchant API calls about what `params` tell of (`PAYME_PARAMS`, changed to fit)."""
    accounts = EDGES.map(lambda value: {"order_id": value})
    methods = st.sampled_from([*Method, "ChangePassword"]).map(str)
    some = spoiled(params, EDGES | JSON | accounts)
    call = st.fixed_dictionaries({"method": methods, "params": some, "id": st.integers(0, 2**64)})
    members = st.dictionaries(st.sampled_from(["id", "method", "params"]), JSON)
    request = st.builds(lambda right, other: right | other, call, members)
    return usually(call.map(_dumps), request.map(_dumps), JSON.map(_dumps), st.binary(max_size=200))


def payme_headers(authorized: str) -> Values:
    """`Authorization` of a call: the right one, none, or any other."""
    basic = st.binary(max_size=40).map(lambda raw: "Basic " + base64.b64encode(raw).decode())
    return usually(st.just(authorized), st.none(), st.text(max_size=40), basic)


def click_bodies(form: dict[str, Any], secret_key: str) -> Values:
    """Bodies of SHOP-API calls about what `form` tells of (`CLICK_FORM`, changed to fit), mostly signed."""
    forms = spoiled(form, NUMBERS | st.text(max_size=20) | st.binary(max_size=10))
    signed = forms.map(lambda some: _encode(_sign(some, secret_key)))
    return usually(signed, forms.map(_encode), st.binary(max_size=200))


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        return repr(value).encode(errors="replace")


def _encode(form: dict[str, Any]) -> bytes:
    return urlencode(form, errors="replace").encode()


def _sign(form: dict[str, Any], secret_key: str) -> dict[str, Any]:
    text = {
        name: value.decode(errors="surrogateescape")
        if isinstance(value, bytes)
        else value.encode(errors="replace").decode()
        for name, value in form.items()
    }
    return form | {"sign_string": signature(dict.fromkeys(CLICK_FORM, "") | text, secret_key)}
