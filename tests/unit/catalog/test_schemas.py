"""What a client may say of a service, and what the document says of that."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from services.catalog.schemas import DecisionIn, PriceBound, ServiceChangesIn


@pytest.mark.parametrize("minutes", ["60", True, 0, 43201])
def test_a_duration_is_a_number_of_minutes(minutes: object) -> None:
    assert ServiceChangesIn.model_validate({"duration_minutes": 60}).duration_minutes == 60
    with pytest.raises(ValidationError):
        ServiceChangesIn.model_validate({"duration_minutes": minutes})


@pytest.mark.parametrize("bound", ["0", "150000", "0.5", "150000.00", "999999999999.99"])
def test_a_bound_of_prices_is_an_amount_from_nothing_on(bound: str) -> None:
    assert said_and_taken(bound) == (True, True)


@pytest.mark.parametrize("bound", ["", "much", "-1", "1.005", "1e5", "NaN", "+5", " 5", "1_000", "1000000000000"])
def test_what_is_no_amount_is_no_bound_and_the_document_says_so(bound: str) -> None:
    assert said_and_taken(bound) == (False, False)


@pytest.mark.parametrize(
    ("decision", "fits"),
    [
        ({"action": "approve"}, True),
        ({"action": "approve", "reason": None}, True),
        ({"action": "hide", "reason": "Why"}, True),
        ({"action": "hide"}, False),
        ({"action": "hide", "reason": None}, False),
    ],
)
def test_the_document_says_that_hiding_needs_a_reason(decision: dict[str, Any], fits: bool) -> None:
    assert Draft202012Validator(DecisionIn.model_json_schema()).is_valid(decision) == fits


def said_and_taken(bound: str) -> tuple[bool, bool]:
    kind: TypeAdapter[Any] = TypeAdapter(PriceBound)
    try:
        kind.validate_python(bound)
    except ValidationError:
        return Draft202012Validator(kind.json_schema()).is_valid(bound), False
    return Draft202012Validator(kind.json_schema()).is_valid(bound), True
