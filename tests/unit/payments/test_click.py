"""Click's SHOP-API as its documents tell it: signature, order of checks, answers."""

from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from services.payments.providers.click import ClickAccount, pay_link
from services.payments.providers.click.merchant import auth_header, is_reversible
from services.payments.providers.click.shop import (
    Action,
    ClickRequest,
    ClickTransaction,
    Code,
    Decision,
    Do,
    Obstacle,
    Refusal,
    State,
    answer,
    decide_complete,
    decide_prepare,
    read_form,
    receive,
    signature,
)

ACCOUNT = ClickAccount(777, merchant_id=5, merchant_user_id=6, secret_key="test_secret")
TOTAL = Decimal("50000.00")
PREPARE = {
    "click_trans_id": "13001",
    "service_id": "777",
    "click_paydoc_id": "9001",
    "merchant_trans_id": "ord_1",
    "amount": "50000.00",
    "action": "0",
    "error": "0",
    "error_note": "Success",
    "sign_time": "2026-01-02 03:04:05",
    "sign_string": "f0e5d383cabb04df647d185475ebec74",
}
COMPLETE = PREPARE | {
    "merchant_prepare_id": "42",
    "action": "1",
    "sign_string": "5e5b9e975ab12baa32525612162ed79a",
}
WAITING = ClickTransaction(42, 13001, "ord_1", TOTAL)
CONFIRMED = ClickTransaction(42, 13001, "ord_1", TOTAL, State.CONFIRMED, confirm_id=7)
CANCELLED = ClickTransaction(42, 13001, "ord_1", TOTAL, State.CANCELLED)


def signed(form: dict[str, str], **changed: str) -> dict[str, str]:
    form = form | changed
    return form | {"sign_string": signature(form, ACCOUNT.secret_key)}


def send(form: dict[str, Any]) -> ClickRequest | Refusal:
    return receive(ACCOUNT, urlencode(form).encode())


def request(form: dict[str, str], **changed: str) -> ClickRequest:
    found = send(signed(form, **changed))
    assert isinstance(found, ClickRequest)
    return found


def refused(form: dict[str, Any]) -> int:
    found = send(form)
    assert isinstance(found, Refusal)
    return found.answer()["error"]


def test_the_documents_signatures_are_right() -> None:
    prepare, complete = send(PREPARE), send(COMPLETE)

    assert isinstance(prepare, ClickRequest)
    assert isinstance(complete, ClickRequest)
    assert (prepare.action, prepare.click_trans_id, prepare.paydoc_id) == (Action.PREPARE, 13001, 9001)
    assert (complete.action, complete.prepare_id, complete.amount) == (Action.COMPLETE, 42, TOTAL)


def test_what_is_signed_are_the_strings_as_they_came() -> None:
    for amount in ("50000.00", "50000", "50000.0", "050000"):
        assert request(PREPARE, amount=amount).amount == TOTAL
    assert refused(PREPARE | {"amount": "50000"}) == Code.BAD_SIGN
    assert receive(ACCOUNT, urlencode(signed(PREPARE)).replace("ord_1", "ord%5F1").encode()) == request(PREPARE)


def test_bytes_that_are_no_text_are_signed_as_bytes() -> None:
    body = urlencode(PREPARE).replace("ord_1", "%FF").encode()
    form = read_form(body)
    again = urlencode(PREPARE | {"sign_string": signature(form, "test_secret")}).replace("ord_1", "%FF").encode()

    found = receive(ACCOUNT, again)

    assert isinstance(found, Refusal)
    assert found.answer()["error"] == Code.ORDER_NOT_FOUND


@pytest.mark.parametrize("missing", sorted(COMPLETE))
def test_a_field_that_is_missing_is_noticed_before_the_signature(missing: str) -> None:
    form = {name: value for name, value in COMPLETE.items() if name != missing}
    assert refused(form | {"sign_string": "wrong"} if missing != "sign_string" else form) == Code.BAD_REQUEST


@pytest.mark.parametrize("wrong", ["", "0" * 32, PREPARE["sign_string"].upper(), "ё"])
def test_a_wrong_signature_is_refused(wrong: str) -> None:
    assert refused(PREPARE | {"sign_string": wrong}) == Code.BAD_SIGN


def test_without_a_secret_of_ours_nothing_is_signed() -> None:
    account = ClickAccount(777, merchant_id=5, merchant_user_id=6, secret_key="")
    form = PREPARE | {"sign_string": signature(PREPARE, "")}
    assert isinstance(receive(account, urlencode(form).encode()), Refusal)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"action": "2"}, -3),
        ({"action": "0 "}, -3),
        ({"click_trans_id": "x"}, -8),
        ({"click_paydoc_id": ""}, -8),
        ({"error": "0.5"}, -8),
        ({"service_id": "778"}, -8),
        ({"merchant_trans_id": ""}, -5),
        ({"merchant_trans_id": "\x00"}, -5),
    ],
)
def test_what_is_signed_may_still_be_nonsense(changed: dict[str, str], code: int) -> None:
    assert refused(signed(PREPARE, **changed)) == code


@pytest.mark.parametrize(
    ("total", "obstacle", "transaction", "decision"),
    [
        (None, None, None, Decision(Do.ANSWER, -5)),
        (TOTAL, None, None, Decision(Do.OPEN, 0)),
        (TOTAL, None, WAITING, Decision(Do.ANSWER, 0)),
        (TOTAL, Obstacle.PAID, None, Decision(Do.ANSWER, -4)),
        (TOTAL, Obstacle.PAID, WAITING, Decision(Do.ANSWER, -4)),
        (Decimal("1.00"), Obstacle.PAID, None, Decision(Do.ANSWER, -4)),
        (Decimal("1.00"), Obstacle.CANCELLED, None, Decision(Do.ANSWER, -2)),
        (TOTAL, Obstacle.CANCELLED, None, Decision(Do.ANSWER, -9)),
        (TOTAL, Obstacle.BUSY, None, Decision(Do.ANSWER, -7)),
        (TOTAL, None, CONFIRMED, Decision(Do.ANSWER, -4)),
        (TOTAL, None, CANCELLED, Decision(Do.ANSWER, -9)),
        (TOTAL, None, ClickTransaction(1, 13001, "other", TOTAL), Decision(Do.ANSWER, -5)),
    ],
)
def test_prepare_checks_order_then_paid_then_amount_then_cancelled(
    total: Decimal | None, obstacle: Obstacle | None, transaction: ClickTransaction | None, decision: Decision
) -> None:
    assert decide_prepare(ACCOUNT, request(PREPARE), total, obstacle, transaction) == decision


@pytest.mark.parametrize(
    ("changed", "transaction", "decision"),
    [
        ({}, None, Decision(Do.ANSWER, -6)),
        ({"merchant_trans_id": "ord_2"}, WAITING, Decision(Do.ANSWER, -6)),
        ({"click_trans_id": "13002"}, WAITING, Decision(Do.ANSWER, -6)),
        ({}, WAITING, Decision(Do.CONFIRM, 0)),
        ({"amount": "300"}, WAITING, Decision(Do.ANSWER, -2)),
        ({"amount": "-50000"}, WAITING, Decision(Do.ANSWER, -2)),
        ({"error": "-5017"}, WAITING, Decision(Do.CANCEL, -9)),
        ({"error": "1"}, WAITING, Decision(Do.ANSWER, -8)),
        ({}, CONFIRMED, Decision(Do.ANSWER, -4)),
        ({"amount": "300"}, CONFIRMED, Decision(Do.ANSWER, -4)),
        ({"error": "-5017"}, CONFIRMED, Decision(Do.FLAG, -9)),
        ({"error": "-5017"}, CANCELLED, Decision(Do.ANSWER, -9)),
        ({}, CANCELLED, Decision(Do.ANSWER, -9)),
    ],
)
def test_complete_goes_by_the_transaction_alone(
    changed: dict[str, str], transaction: ClickTransaction | None, decision: Decision
) -> None:
    assert decide_complete(request(COMPLETE, **changed), order_exists=True, transaction=transaction) == decision


def test_complete_of_an_order_that_there_is_not() -> None:
    assert decide_complete(request(COMPLETE), order_exists=False, transaction=WAITING).code == -5


def test_answers_are_the_documents() -> None:
    said = {"click_trans_id": 13001, "merchant_trans_id": "ord_1", "merchant_prepare_id": 42, "error_note": "Success"}

    assert answer(request(PREPARE), 0, WAITING) == said | {"error": 0}
    assert answer(request(COMPLETE), 0, CONFIRMED) == said | {"merchant_confirm_id": 7, "error": 0}


def test_the_pay_page_is_told_all_it_needs() -> None:
    link = urlsplit(pay_link(ACCOUNT, "2026-000001", TOTAL, return_url="http://localhost/?a=1&b=2", card_type="humo"))
    assert f"{link.scheme}://{link.netloc}{link.path}" == "https://my.click.uz/services/pay"
    assert {name: value for name, [value] in parse_qs(link.query).items()} == {
        "service_id": "777",
        "merchant_id": "5",
        "amount": "50000.00",
        "transaction_param": "2026-000001",
        "return_url": "http://localhost/?a=1&b=2",
        "card_type": "humo",
    }


def test_the_merchant_apis_header_is_the_documents() -> None:
    digest = "31568f01eb197fbc7b3a40a9d2fb6c24a24178c7"
    assert auth_header(ACCOUNT, 1519051543) == f"6:{digest}:1519051543"


@pytest.mark.parametrize(
    ("paid_on", "today", "reversible"),
    [
        ("2026-11-01", "2026-11-30", True),
        ("2026-10-01", "2026-11-01", True),
        ("2026-11-01", "2026-11-01", True),
        ("2026-10-31", "2026-11-02", False),
        ("2026-09-30", "2026-11-01", False),
        ("2025-12-31", "2026-01-01", True),
        ("2025-12-31", "2026-01-02", False),
        ("2025-11-30", "2026-11-30", False),
    ],
)
def test_click_sends_back_within_the_month_and_on_the_first_of_the_next(
    paid_on: str, today: str, reversible: bool
) -> None:
    assert is_reversible(date.fromisoformat(paid_on), date.fromisoformat(today)) == reversible
