"""Payme's Merchant API as its documents tell it: what is believed, what is done, what is answered."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from services.payments.providers.payme import PaymeAccount, from_tiyin, to_tiyin
from services.payments.providers.payme.checkout import checkout_link
from services.payments.providers.payme.errors import MESSAGES, Code, PaymeError
from services.payments.providers.payme.rpc import (
    Call,
    CancelParams,
    CheckParams,
    CheckPerformParams,
    CreateParams,
    Params,
    PerformParams,
    StatementParams,
    receive,
)
from services.payments.providers.payme.rules import (
    LIFE,
    Do,
    Obstacle,
    PaymeTransaction,
    State,
    check_order,
    decide,
    result_of,
    statement_item,
)

ACCOUNT = PaymeAccount("587f72c72cac0d162c722ae2", keys=("test_key",))
AUTHORIZED = "Basic UGF5Y29tOnRlc3Rfa2V5"
ID = "5305e3bab097f420a62ced0b"
TIME, NOW = 1399114284039, 1399114290000
CREATED = PaymeTransaction(ID, TIME, 500000, "197", create_time=1399114284120, transaction="5123")
PERFORMED = CREATED.performed(1399114285000)
CREATE = {"id": ID, "time": TIME, "amount": 500000, "account": {"order_id": "197"}}
CALLS: dict[str, Params] = {
    "create": CreateParams.model_validate(CREATE),
    "perform": PerformParams(id=ID),
    "cancel": CancelParams(id=ID, reason=5),
    "check": CheckParams(id=ID),
}


def send(body: Any, *, authorization: str | None = AUTHORIZED, http_method: str = "POST") -> Call | dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return receive(ACCOUNT, http_method, authorization, raw)


def refused(body: Any, **how: Any) -> tuple[int, Any, Any]:
    """Code, data and id of the refusal, which is whole and in three languages."""
    answer = send(body, **how)
    assert isinstance(answer, dict)
    assert set(answer) == {"error", "id"}
    assert set(answer["error"]["message"]) == {"ru", "uz", "en"}
    return answer["error"]["code"], answer["error"]["data"], answer["id"]


def test_the_documents_example_is_understood_without_a_jsonrpc_member() -> None:
    call = send({"method": "CreateTransaction", "params": CREATE, "id": 2032})

    assert call == Call(2032, CALLS["create"])
    assert isinstance(call, Call)
    assert call.answer({"state": 1}) == {"result": {"state": 1}, "id": 2032}


def test_from_and_to_of_a_statement_are_read_by_their_names() -> None:
    call = send({"method": "GetStatement", "params": {"from": 1, "to": 2}, "id": 1})
    assert isinstance(call, Call)
    assert call.params == StatementParams.model_validate({"from": 1, "to": 2})


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Bearer UGF5Y29tOnRlc3Rfa2V5",
        "Basic not base64",
        "Basic café",
        "Basic /////w==",
        "Basic \udcff",
        "Basic " + base64.b64encode(b"Paycom:test_kez").decode(),
        "Basic " + base64.b64encode(b"Other:test_key").decode(),
        "Basic " + base64.b64encode(b"Paycom:").decode(),
    ],
)
def test_who_can_not_say_the_key_is_told_nothing_but_that(authorization: str | None) -> None:
    assert refused({"method": "Nonsense", "params": {}, "id": 7}, authorization=authorization) == (-32504, None, 7)
    assert refused(b"{", authorization=authorization) == (-32504, None, None)


def test_without_a_key_of_ours_nobody_is_authorized() -> None:
    empty = "Basic " + base64.b64encode(b"Paycom:").decode()
    answer = receive(PaymeAccount("m", keys=("",)), "POST", empty, b'{"id": 1}')
    assert isinstance(answer, dict)
    assert answer["error"]["code"] == -32504


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", (-32700, None, None)),
        (b"\xff", (-32700, None, None)),
        (b"[" * 100_000, (-32700, None, None)),
        (b"null", (-32600, None, None)),
        (b"[]", (-32600, None, None)),
        ({"method": "CheckTransaction", "params": {"id": ID}}, (-32600, None, None)),
        ({"method": "CheckTransaction", "params": {"id": ID}, "id": [1]}, (-32600, None, None)),
        ({"method": 5, "params": {}, "id": 1}, (-32600, None, 1)),
        ({"method": "CheckTransaction", "params": [ID], "id": 1}, (-32600, None, 1)),
        ({"method": "CheckTransaction", "params": {"id": 5}, "id": 1}, (-32600, None, 1)),
        ({"method": "CheckTransaction", "params": {"id": "\x00"}, "id": 1}, (-32600, None, 1)),
        ({"method": "CreateTransaction", "params": CREATE | {"amount": "500000"}, "id": 1}, (-32600, None, 1)),
        ({"method": "CreateTransaction", "params": CREATE | {"amount": True}, "id": 1}, (-32600, None, 1)),
        ({"method": "CreateTransaction", "params": CREATE | {"amount": 500000.0}, "id": 1}, (-32600, None, 1)),
        ({"method": "CreateTransaction", "params": CREATE | {"time": 10**15}, "id": 1}, (-32600, None, 1)),
        ({"method": "CreateTransaction", "params": CREATE | {"account": "197"}, "id": 1}, (-32600, None, 1)),
        ({"method": "ChangePassword", "params": {"password": "x"}, "id": 1}, (-32601, "ChangePassword", 1)),
        ({"method": "SetFiscalData", "params": {"id": ID, "type": "OTHER"}, "id": 1}, (-32602, None, 1)),
    ],
)
def test_what_is_no_call_is_told_why(body: Any, said: tuple[int, Any, Any]) -> None:
    assert refused(body) == said


def test_what_is_not_posted_is_refused_whatever_it_says() -> None:
    assert refused(b"", http_method="GET") == (-32300, None, None)


def test_an_order_number_may_come_as_a_number() -> None:
    assert CheckPerformParams(amount=1, account={"order_id": 197}).order_number == "197"


@pytest.mark.parametrize(
    "account", [{}, {"order_id": ""}, {"order_id": True}, {"order_id": ["1"]}, {"order_id": "\x00"}]
)
def test_an_account_that_names_no_order_is_an_unknown_one(account: dict[str, Any]) -> None:
    with pytest.raises(PaymeError) as refusal:
        _ = CheckPerformParams(amount=1, account=account).order_number
    assert (refusal.value.code, refusal.value.data) == (-31050, "order_id")


@pytest.mark.parametrize(
    ("stored", "call", "done"),
    [
        (None, "create", Do.OPEN),
        (None, "perform", -31003),
        (None, "cancel", -31003),
        (None, "check", -31003),
        (CREATED, "create", Do.ANSWER),
        (CREATED, "perform", Do.PERFORM),
        (CREATED, "cancel", Do.CANCEL),
        (CREATED, "check", Do.ANSWER),
        (PERFORMED, "create", -31008),
        (PERFORMED, "perform", Do.ANSWER),
        (PERFORMED, "cancel", Do.TAKE_BACK),
        (PERFORMED, "check", Do.ANSWER),
        (CREATED.cancelled(NOW, 1), "create", -31008),
        (CREATED.cancelled(NOW, 1), "perform", -31008),
        (CREATED.cancelled(NOW, 1), "cancel", Do.ANSWER),
        (CREATED.cancelled(NOW, 1), "check", Do.ANSWER),
        (PERFORMED.cancelled(NOW, 5), "create", -31008),
        (PERFORMED.cancelled(NOW, 5), "perform", -31008),
        (PERFORMED.cancelled(NOW, 5), "cancel", Do.ANSWER),
        (PERFORMED.cancelled(NOW, 5), "check", Do.ANSWER),
    ],
)
def test_every_call_does_what_the_table_says(stored: PaymeTransaction | None, call: str, done: Do | int) -> None:
    assert _done(CALLS[call], stored, NOW) == done


@pytest.mark.parametrize(
    ("call", "done"),
    [("create", Do.EXPIRE), ("perform", Do.EXPIRE), ("cancel", Do.CANCEL), ("check", Do.ANSWER)],
)
def test_after_twelve_hours_of_paymes_clock_a_created_transaction_is_over(call: str, done: Do) -> None:
    in_time = _done(CALLS[call], CREATED, TIME + LIFE)
    assert in_time == _done(CALLS[call], CREATED, NOW)
    assert _done(CALLS[call], CREATED, TIME + LIFE + 1) == done


def test_what_would_be_over_when_it_begins_is_not_created() -> None:
    assert _done(CALLS["create"], None, TIME + LIFE) == Do.OPEN
    assert _done(CALLS["create"], None, TIME + LIFE + 1) == -31008


def _done(params: Params, stored: PaymeTransaction | None, now: int) -> Do | int:
    try:
        return decide(params, stored, now)
    except PaymeError as refusal:
        return refusal.code


def test_results_are_those_of_the_documents() -> None:
    cancelled, taken_back = CREATED.cancelled(NOW, 1), PERFORMED.cancelled(NOW, 5)

    assert result_of(CALLS["create"], CREATED) == {
        "create_time": 1399114284120,
        "transaction": "5123",
        "state": 1,
        "receivers": None,
    }
    assert result_of(CALLS["perform"], PERFORMED) == {
        "transaction": "5123",
        "perform_time": 1399114285000,
        "state": 2,
    }
    assert result_of(CALLS["cancel"], cancelled) == {"transaction": "5123", "cancel_time": NOW, "state": -1}
    assert result_of(CALLS["cancel"], taken_back) == {"transaction": "5123", "cancel_time": NOW, "state": -2}
    unset = {"perform_time": 0, "cancel_time": 0, "reason": None}
    check = {"create_time": 1399114284120, "transaction": "5123", "state": 1}
    assert result_of(CALLS["check"], CREATED) == check | unset
    assert statement_item(CREATED) == check | unset | {
        "id": ID,
        "time": TIME,
        "amount": 500000,
        "account": {"order_id": "197"},
        "receivers": None,
    }


def test_what_ran_out_of_time_says_so() -> None:
    over = CREATED.expired(NOW)
    assert (over.state, over.reason, over.cancel_time) == (State.CANCELLED, 4, NOW)


@pytest.mark.parametrize(
    ("total", "obstacle", "amount", "said"),
    [
        (None, None, 500000, (-31050, "order_id")),
        (Decimal("5000.01"), None, 500000, (-31001, None)),
        (Decimal("5000.00"), Obstacle.PAID, 499999, (-31001, None)),
        (Decimal("5000.00"), Obstacle.PAID, 500000, (-31051, "order_id")),
        (Decimal("5000.00"), Obstacle.CANCELLED, 500000, (-31052, "order_id")),
        (Decimal("5000.00"), Obstacle.BUSY, 500000, (-31008, None)),
        (Decimal("5000.00"), None, -500000, (-31001, None)),
    ],
)
def test_an_order_is_checked_account_first_then_amount_then_state(
    total: Decimal | None, obstacle: Obstacle | None, amount: int, said: tuple[int, str | None]
) -> None:
    params = CheckPerformParams(amount=amount, account={"order_id": "197"})
    with pytest.raises(PaymeError) as refusal:
        check_order(ACCOUNT, params, total, obstacle)
    assert (refusal.value.code, refusal.value.data) == said


def test_a_free_order_of_that_amount_can_be_paid() -> None:
    check_order(ACCOUNT, CheckPerformParams(amount=500001, account={}), Decimal("5000.01"), None)


@pytest.mark.parametrize("busy_code", [-31008, -31050, -31051, -31060, -31099])
def test_whatever_a_busy_order_is_set_to_be_called_the_payer_is_told_in_words(busy_code: int) -> None:
    account = PaymeAccount("m", keys=("k",), busy_code=busy_code)
    with pytest.raises(PaymeError) as refusal:
        check_order(account, CheckPerformParams(amount=100, account={}), Decimal("1.00"), Obstacle.BUSY)
    error = refusal.value.answer(1)["error"]
    assert error["code"] == busy_code
    assert all(error["message"].values())
    assert error["data"] == (None if busy_code == -31008 else "order_id")


def test_every_code_has_its_words() -> None:
    assert set(MESSAGES) == set(Code)


def test_money_is_exact_in_both_directions() -> None:
    assert to_tiyin(Decimal("9999999999.99")) == 999_999_999_999
    assert str(from_tiyin(1)) == "0.01"
    assert str(from_tiyin(15000000)) == "150000.00"
    with pytest.raises(ValueError):
        to_tiyin(Decimal("0.001"))


def test_the_checkout_link_is_the_documents() -> None:
    link = checkout_link(ACCOUNT, "197", Decimal("5.00"))
    vector = "bT01ODdmNzJjNzJjYWMwZDE2MmM3MjJhZTI7YWMub3JkZXJfaWQ9MTk3O2E9NTAw"
    assert link == f"https://checkout.paycom.uz/{vector}"


def test_the_checkout_link_carries_language_and_the_way_back() -> None:
    link = checkout_link(ACCOUNT, "197", Decimal("5.00"), language="uz", return_url="http://localhost:3000/done?a=1")
    said = base64.b64decode(link.removeprefix("https://checkout.paycom.uz/")).decode()
    assert said == "m=587f72c72cac0d162c722ae2;ac.order_id=197;a=500;l=uz;c=http://localhost:3000/done?a=1"


def test_a_value_with_a_semicolon_is_refused_where_it_would_be_another_parameter() -> None:
    with pytest.raises(ValueError):
        checkout_link(ACCOUNT, "197", Decimal("5.00"), return_url="http://localhost/;a=1")
