"""What is a card's number, and what only looks like one."""

import random
from typing import Annotated
from uuid import UUID

import pytest
from pydantic import AfterValidator, TypeAdapter, ValidationError

from shared.http.cards import holds_card_number, passes_luhn, without_card
from shared.http.types import Input, Line, Phone, Text

VALID = [
    "4242424242424242",
    "8600495473316478",
    "4000000000000002",
    "4000000000009995",
    "4000000000000119",
    "79927398713",  # the example of the standard
    "378282246310005",
    "5555555555554444",
    "6011111111111117",
]


@pytest.mark.parametrize("number", VALID)
def test_a_number_with_the_right_check_digit_passes(number: str) -> None:
    assert passes_luhn(number)


@pytest.mark.parametrize("number", VALID)
def test_each_other_last_digit_fails(number: str) -> None:
    others = [number[:-1] + digit for digit in "0123456789" if digit != number[-1]]
    assert not any(passes_luhn(other) for other in others)


def test_one_wrong_digit_anywhere_fails() -> None:
    chance = random.Random(11)
    for _ in range(500):
        number, place = chance.choice(VALID), chance.randrange(11)
        wrong = chance.choice([digit for digit in "0123456789" if digit != number[place]])
        assert not passes_luhn(number[:place] + wrong + number[place + 1 :])


CARDS = [number for number in VALID if len(number) >= 13]


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize("around", ["{}", "My card is {}.", "карта{}", "({}), 12/30", "card:{} 1230 123", "a\n{}\nb"])
def test_a_card_is_seen_wherever_it_stands(number: str, around: str) -> None:
    assert holds_card_number(around.format(number))


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "8600-4954-7331-6478",
        "4242\xa04242\xa04242\xa04242",
        "3782 822463 10005",
        "3056 930902 5904",
        "4222222222222",
        "4222 2222 2222 2",
        "6304000000000000000",
        "valid until 12/30: 4242 4242 4242 4242 12/30 123",
    ],
)
def test_a_card_is_seen_as_people_write_it(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "424242424242",
        "+998901234567",
        "+4242424242424",
        "901234567 901234566",
        "4242424242424242424242424242424242424242",
        "4242 4242 4242 4242 4242",
        "2026-4242424242424242",
        "a4242424242424242f",
        "0000000000000000",
        "1000000000000008",
        "20261122223904",
        "",
    ],
)
def test_what_only_looks_like_a_card_is_none(text: str) -> None:
    assert not holds_card_number(text)


def test_phones_and_order_numbers_and_times_and_ids_are_no_cards() -> None:
    """As they are written, with any digits: of those that could be a card by their length alone, one in ten would be
    refused for its check digit."""
    chance = random.Random(11)

    def digits(count: int) -> str:
        return "".join(chance.choices("0123456789", k=count))

    for _ in range(2_000):
        phone, id_ = digits(9), str(UUID(int=chance.getrandbits(128)))
        decimal_id = f"{digits(8)}-{digits(4)}-{digits(4)}-{digits(4)}-{digits(12)}"
        for text in (
            f"+998{phone}",
            f"+998 {phone[:2]} {phone[2:5]}-{phone[5:7]}-{phone[7:]}, 8 {phone[:2]} {phone[2:5]} {phone[5:]}",
            f"+86{digits(11)}",
            f"+49{digits(13)}",
            f"2026-{digits(6)}",
            f"2026-{digits(18)}",
            f"2026{digits(10)}",
            f"17{digits(11)}",
            f"17{digits(14)}",
            f"{digits(8)} {digits(20)}",
            f"150000.00 {digits(9)}.{digits(2)}",
            id_,
            id_.replace("-", ""),
            decimal_id,
            f"{decimal_id} {decimal_id}",
        ):
            assert not holds_card_number(text), text


class Wish(Input):
    title: Line = "x"
    description: Text | None = None
    phone: Phone | None = None
    skills: list[Line] | None = None


@pytest.mark.parametrize(
    "body",
    [
        {"title": "4242 4242 4242 4242"},
        {"description": "Take it from 4242424242424242."},
        {"skills": ["tiling", "4242424242424242"]},
    ],
)
def test_no_text_of_a_body_takes_a_card(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Wish.model_validate(body)

    (error,) = refused.value.errors()
    assert (error["loc"], error["type"]) == ((*body,), "card-number")
    assert "4242" not in error["msg"]


def test_a_body_without_a_card_is_taken_as_it_is() -> None:
    wish = Wish.model_validate({"description": "Call 90 123 45 67.", "phone": "90 123 45 67", "skills": ["tiling"]})

    assert (wish.description, wish.phone, wish.skills) == ("Call 90 123 45 67.", "+998901234567", ["tiling"])


def test_a_value_of_another_kind_is_none_of_its_business() -> None:
    assert TypeAdapter(Annotated[int, AfterValidator(without_card)]).validate_python(4242424242424242)
