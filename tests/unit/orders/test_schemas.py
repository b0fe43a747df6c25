"""What a client may say of an order."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.orders.schemas import DecisionIn, HistoryOut, OrderIn
from shared.ids import new_id


def wish(**changed: Any) -> dict[str, Any]:
    return {"service_id": str(new_id()), "address": "1 Navoi St", **changed}


@pytest.mark.parametrize("field", ["price", "total", "status", "payment_status", "client_id", "owner_id", "worker_id"])
def test_a_client_sets_neither_price_nor_status_nor_owner(field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        OrderIn.model_validate(wish(**{field: "1"}))
    assert [(error["type"], error["loc"]) for error in refused.value.errors()] == [("extra_forbidden", (field,))]


@pytest.mark.parametrize("quantity", [0, -1, 101, 1.5, "many", "5", True])
def test_a_quantity_is_a_number_from_1_to_100(quantity: object) -> None:
    assert OrderIn.model_validate(wish(quantity=100)).quantity == 100
    with pytest.raises(ValidationError):
        OrderIn.model_validate(wish(quantity=quantity))


@pytest.mark.parametrize("phone", ["90123456", "+0901234567", "+99890", "+99890123456789012", ""])
def test_a_phone_is_a_valid_number(phone: str) -> None:
    assert OrderIn.model_validate(wish(contact_phone="+998901234567")).contact_phone == "+998901234567"
    with pytest.raises(ValidationError):
        OrderIn.model_validate(wish(contact_phone=phone))


def test_a_phone_has_no_digits_but_ascii_ones() -> None:
    with pytest.raises(ValidationError):
        OrderIn.model_validate(wish(contact_phone="+9٩٨٩٠١٢٣٤٥٦٧"))


@pytest.mark.parametrize("amount", ["0", "0.0", "0.00", 0, 0.0])
def test_a_decision_may_give_nothing_back(amount: object) -> None:
    assert DecisionIn.model_validate({"refund_amount": amount, "note": "Why"}).refund_amount == 0


def test_a_moment_without_a_zone_is_refused() -> None:
    assert OrderIn.model_validate(wish(scheduled_at="2030-01-01T10:00:00+05:00")).scheduled_at
    with pytest.raises(ValidationError):
        OrderIn.model_validate(wish(scheduled_at="2030-01-01T10:00:00"))


def test_history_says_from_and_to() -> None:
    entry = HistoryOut(
        from_status="pending",
        to_status="assigned",
        actor_id=None,
        actor_role="worker",
        note=None,
        at="2026-01-02T00:00Z",
    )
    said = entry.model_dump(mode="json")
    assert (said["from"], said["to"]) == ("pending", "assigned")
