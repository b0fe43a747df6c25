"""Whatever is sent to where providers call, it is understood or refused in their own form, and never raises."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

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
)
from services.payments.providers.payme import PaymeAccount
from services.payments.providers.payme import rpc as payme
from services.payments.providers.payme.errors import PaymeError
from services.payments.providers.payme.rpc import Call, OrderParams
from tests.support.provider_bodies import CLICK_FORM, PAYME_PARAMS, click_bodies, payme_bodies, payme_headers, usually

PAYME = PaymeAccount("m", keys=("test_key",))
CLICK = ClickAccount(777, merchant_id=5, merchant_user_id=6, secret_key="test_secret")
AUTHORIZED = "Basic UGF5Y29tOnRlc3Rfa2V5"
HTTP_METHODS = usually(st.just("POST"), st.sampled_from(["GET", "PUT"]))


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(HTTP_METHODS, payme_headers(AUTHORIZED), payme_bodies(PAYME_PARAMS))
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


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(click_bodies(CLICK_FORM, CLICK.secret_key))
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
