"""The one line that a person reads."""

import pytest

from services.notifications.domain import Type, title

VALUES = {
    "number": "2026-000042",
    "service": "Leaking tap repair",
    "status": "in_progress",
    "amount": "150000.00",
    "currency": "UZS",
}


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("order_created", "New order 2026-000042: Leaking tap repair"),
        ("order_assigned", "Order 2026-000042 is accepted"),
        ("order_status_changed", "Order 2026-000042 is now in progress"),
        ("payment_success", "Order 2026-000042 is paid: 150000.00 UZS"),
        ("payment_failed", "Payment of order 2026-000042 failed"),
        ("payment_refunded", "Of order 2026-000042, 150000.00 UZS went back"),
    ],
)
def test_each_kind_has_its_title(kind: str, line: str) -> None:
    assert title(Type(kind), **VALUES) == line


def test_the_kinds_are_those_of_the_contract() -> None:
    assert {*Type} == {
        "order_created",
        "order_assigned",
        "order_status_changed",
        "payment_success",
        "payment_failed",
        "payment_refunded",
        "order_disputed",
        "order_dispute_resolved",
    }


def test_the_words_of_a_person_stay_as_they_are() -> None:
    said = title(Type.ORDER_CREATED, **{**VALUES, "service": "USB_C {number} repair"})
    assert said == "New order 2026-000042: USB_C {number} repair"
