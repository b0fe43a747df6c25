"""Cards, and what a payment may become."""

import pytest

from services.payments.domain import (
    MOVES,
    MoveNotAllowed,
    Status,
    Unpayable,
    card_brand,
    check_move,
    is_order_number,
    unpayable,
)


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
    assert unpayable(status, "pending") is None
    assert unpayable("cancelled", "pending") == unpayable("cancelled", "assigned") == Unpayable.CANCELLED


@pytest.mark.parametrize(
    ("status", "why"), [("pending", Unpayable.EARLY), ("assigned", None), ("in_progress", None), ("completed", None)]
)
def test_payment_may_wait_for_acceptance(status: str, why: Unpayable | None) -> None:
    assert unpayable(status, "assigned") == why


ALLOWED = {
    "pending": {"completed", "failed", "cancelled"},
    "failed": {"completed"},
    "cancelled": {"completed"},
    "completed": {"partially_refunded", "refunded"},
    "partially_refunded": {"partially_refunded", "refunded"},
    "refunded": set(),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("to", Status)
def test_a_payment_moves_as_the_table_says(status: Status, to: Status) -> None:
    assert {*MOVES} == {*ALLOWED} == {*Status}
    if to in ALLOWED[status]:
        check_move(status, to)
    else:
        with pytest.raises(MoveNotAllowed):
            check_move(status, to)


def test_what_a_payer_typed_is_looked_up_only_if_it_is_written_like_an_orders_number() -> None:
    assert is_order_number("2026-000042")
    assert not any(is_order_number(text) for text in ("42", "2026-", "2026-000042\n", "٢٠٢٦-000042", "../x", ""))
