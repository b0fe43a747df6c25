"""Which cards can be charged, and what of them an error may say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from services.payments.schemas import payments as schemas
from services.payments.schemas.payments import CardIn, PayIn, PaymentOut

NUMBER = "4242424242424242"


def card(**changed: Any) -> dict[str, Any]:
    return {"number": NUMBER, "exp_month": 12, "exp_year": 2099, "cvc": "123", **changed}


@pytest.fixture
def in_june_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls(2026, 6, 30, 23, 59, tzinfo=UTC)

    monkeypatch.setattr(schemas, "datetime", Clock)


def refusal(model: Any, value: Any) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(value)
    return refused.value


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424241",
        "424242424242",
        "42424242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "424242424242424x",
        f"{NUMBER}\n",
        "",
        4242424242424242,
    ],
)
def test_what_is_no_card_number_is_refused(number: object) -> None:
    assert CardIn.model_validate(card()).number == NUMBER
    refusal(CardIn, card(number=number))


def test_digits_that_are_not_ascii_are_no_card_number_and_no_code() -> None:
    refusal(CardIn, card(number="٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"))
    refusal(CardIn, card(cvc="١٢٣"))


@pytest.mark.usefixtures("in_june_2026")
@pytest.mark.parametrize(("year", "month"), [(2026, 5), (2025, 12), (2000, 1)])
def test_an_expired_card_is_refused(year: int, month: int) -> None:
    assert "expired" in str(refusal(CardIn, card(exp_year=year, exp_month=month)))


@pytest.mark.usefixtures("in_june_2026")
@pytest.mark.parametrize(("year", "month"), [(2026, 6), (2026, 7), (2027, 1)])
def test_a_card_is_good_until_the_end_of_its_month(year: int, month: int) -> None:
    assert CardIn.model_validate(card(exp_year=year, exp_month=month)).exp_month == month


@pytest.mark.parametrize(("field", "value"), [("exp_month", 0), ("exp_month", 13), ("cvc", "12"), ("cvc", "12345")])
def test_month_and_code_are_checked(field: str, value: object) -> None:
    assert [error["loc"] for error in refusal(CardIn, card(**{field: value})).errors()] == [(field,)]


@pytest.mark.parametrize(
    "body",
    [
        {"method": "card"},
        {"method": "payme", "card": card()},
        {"method": "click", "card": card()},
        {"method": "cash"},
        {"method": "card", "card": card(), "amount": "1.00"},
    ],
)
def test_a_card_goes_with_method_card_alone_and_an_amount_with_none(body: dict[str, Any]) -> None:
    assert PayIn.model_validate({"method": "card", "card": card()}).card
    assert PayIn.model_validate({"method": "payme"}).card is None
    refusal(PayIn, body)


def test_neither_a_repr_nor_an_error_of_a_card_holds_its_number_or_code() -> None:
    shown = [
        repr(CardIn.model_validate(card())),
        repr(PayIn.model_validate({"method": "card", "card": card()})),
        str(refusal(CardIn, card(number="4242424242424241"))),
        str(refusal(CardIn, card(exp_year=2001))),
    ]
    assert not [text for text in shown if "42424242" in text or "'123'" in text]


@pytest.mark.parametrize(
    "value",
    [{}, {"number": NUMBER}, {"token": "tok_12345678", "cvc": "123"}, card(token="tok_12345678"), {"token": NUMBER}],
)
def test_a_card_is_whole_or_a_token_and_a_number_is_none(value: dict[str, Any]) -> None:
    assert CardIn.model_validate({"token": "tok_12345678"}).token
    refusal(CardIn, value)


def test_a_token_is_shown_nowhere() -> None:
    body = PayIn.model_validate({"method": "card", "card": {"token": "tok_12345678"}})
    assert body.card
    assert "tok_" not in repr(body) + repr(body.card.source())


def test_of_a_card_an_answer_keeps_brand_and_last_four() -> None:
    assert {name for name in PaymentOut.model_fields if "card" in name} == {"card_brand", "card_last4"}
