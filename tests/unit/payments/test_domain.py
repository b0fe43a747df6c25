"""Cards, and what a payment may become."""

import random

import pytest

from services.payments.domain import ACTIVE, Status, card_brand, is_payable, passes_luhn

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


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("8600495473316478", "uzcard"),
        ("5614681005030279", "uzcard"),
        ("9860010101010108", "humo"),
        ("4242424242424242", "visa"),
        ("5555555555554444", "mastercard"),
        ("2223003122003222", "mastercard"),
        ("378282246310005", "card"),
        ("6011111111111117", "card"),
        ("8601000000000000", "card"),
    ],
)
def test_a_brand_is_told_by_the_issuers_range(number: str, brand: str) -> None:
    assert card_brand(number) == brand


@pytest.mark.parametrize("status", ["pending", "assigned", "in_progress", "completed"])
def test_an_order_is_payable_while_it_is_not_cancelled(status: str) -> None:
    assert is_payable(status)
    assert not is_payable("cancelled")


def test_a_failed_attempt_leaves_room_for_another_and_no_other_does() -> None:
    assert {*ACTIVE} == {*Status} - {Status.FAILED}
