"""Which values come in, and how amounts go out."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.http.responses import RowsResponse
from shared.http.types import NUMBER, Input, Line, Money, Phone, Price, Text, Timestamp


def taken(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refused(kind: Any, value: Any) -> bool:
    with pytest.raises(ValidationError):
        taken(kind, value)
    return True


@pytest.mark.parametrize(
    ("given", "price"),
    [
        ("150000.00", "150000.00"),
        ("150000", "150000.00"),
        ("0.5", "0.50"),
        (7, "7.00"),
        (7.0, "7.00"),
        ("9999999999.99",) * 2,
    ],
)
def test_a_price_has_two_places(given: object, price: str) -> None:
    assert str(taken(Price, given)) == price


@pytest.mark.parametrize(
    "given",
    ["0", "0.00", "-1", "0.001", "1.005", "10000000000.00", "1e30", "NaN", "Infinity", "", "much", None, [], "1,5"],
)
def test_what_is_no_price_is_refused(given: object) -> None:
    assert refused(Price, given)


@pytest.mark.parametrize("given", ["007", " 7", "+7", "1_0", "٧", "7\n"])
def test_a_price_is_spelt_in_one_way(given: str) -> None:
    assert refused(Price, given)


@pytest.mark.parametrize("given", [0, -7, 10**10, 10**400, 0.5, 1e30, float("inf"), float("nan"), True])
def test_a_price_that_is_no_string_is_a_whole_number_in_range(given: object) -> None:
    assert refused(Price, given)


@pytest.mark.parametrize(("given", "line"), [(" a b ", "a b"), ("x" * 200, "x" * 200), ("oʻzbek 😀", "oʻzbek 😀")])
def test_a_line_is_a_text_without_outer_space(given: str, line: str) -> None:
    assert taken(Line, given) == line


@pytest.mark.parametrize("given", ["", "   ", "\n", "x" * 201, "a\x00b", "\x00", "\ud800", 5, None])
def test_what_can_not_be_a_line_is_refused(given: object) -> None:
    assert refused(Line, given)


def test_a_text_may_be_empty_and_long_and_holds_no_nul() -> None:
    assert taken(Text, "") == ""
    assert taken(Text, "a\n" * 2000 + "b")
    assert refused(Text, "x" * 5001)
    assert refused(Text, "a\x00b")


@pytest.mark.parametrize(
    "given",
    [
        "+998901234567",
        "998901234567",
        "901234567",
        "90 123 45 67",
        "+998 90 123-45-67",
        " (90) 123-45-67 ",
        "+998(90)123.45.67",
        "00998901234567",
    ],
)
def test_spellings_of_an_uzbek_number_are_kept_as_one(given: str) -> None:
    assert taken(Phone, given) == "+998901234567"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("+7 912 345-67-89", "+79123456789"), ("+1 202 555 0123", "+12025550123"), ("+39 06 698 12345", "+390669812345")],
)
def test_numbers_of_other_countries_come_with_their_code(given: str, kept: str) -> None:
    assert taken(Phone, given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "+",
        "112",
        "90 123 45",
        "+99890",
        "+0901234567",
        "+99890123456789012",
        "7 912 345-67-89",  # of Russia, without its plus
        "90 123 45 67, 91 123 45 67",
        "90 123 45 67 ext. 5",
        "tel:+998901234567",
        "+1-800-FLOWERS",
        "+9٩٨٩٠١٢٣٤٥٦٧",
        "90 123 45 67\x00",
        "90 123 45 67" + "-" * 21,
        998901234567,
        None,
    ],
)
def test_what_is_no_valid_number_is_refused(given: object) -> None:
    assert refused(Phone, given)


def test_a_refused_number_is_told_how_to_be_written_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as error:
        taken(Phone, "90 123 45")

    assert [e["msg"] for e in error.value.errors()] == ["This is no valid phone number: write it like +998901234567"]


def test_documents_show_a_phone_as_a_string_with_an_example() -> None:
    schema = TypeAdapter(Phone).json_schema()

    assert (schema["type"], schema["maxLength"], schema["examples"]) == ("string", 32, ["+998901234567"])
    assert "E.164" in schema["description"]


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [(Line, " a ", True), (Line, " \n", False), (Line, "a\x00", False), (Text, "", True), (Text, "a\x00", False)],
)
def test_the_pattern_that_the_document_says_is_what_is_taken(kind: Any, text: str, fits: bool) -> None:
    pattern = TypeAdapter(kind).json_schema()["pattern"]

    assert bool(re.search(pattern, text)) == fits
    assert taken(kind, text) == text.strip() if fits else refused(kind, text)


@pytest.mark.parametrize("given", ["5", "", True, False])
def test_what_json_does_not_write_as_a_number_is_none(given: object) -> None:
    assert refused(Annotated[int, NUMBER], given)
    assert refused(Annotated[float, NUMBER], given)


def test_a_whole_number_may_be_written_with_a_fraction_of_nothing() -> None:
    assert taken(Annotated[int, NUMBER], 5.0) == 5
    assert refused(Annotated[int, NUMBER], 5.5)


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        (Phone, ["90 123 45 67", "+998(90)123.45.67"], ["", "90 123 45 67 ext. 5", "+9٩٨٩٠١٢٣٤٥٦٧", "\t901234567"]),
        (Price, ["0.01", "0.1", "10.00", 7], ["0.00", "00.10", "1.", ".5", "1.005", "10000000000", 0, 0.5]),
    ],
)
def test_documents_say_which_spellings_are_taken(kind: Any, fits: list[object], does_not: list[object]) -> None:
    documented = Draft202012Validator(TypeAdapter(kind).json_schema())

    assert [value for value in fits if not documented.is_valid(value)] == []
    assert [value for value in does_not if documented.is_valid(value)] == []
    for value in fits:
        taken(kind, value)
    for value in does_not:
        refused(kind, value)


@pytest.mark.parametrize(
    "given", ["2030-01-31T09:00:00Z", "2030-01-31t14:00:00.000+05:00", "2030-01-31T06:30:00-02:30"]
)
def test_a_time_is_read_in_any_zone_and_kept_in_utc(given: str) -> None:
    time = taken(Timestamp, given)

    assert time == datetime(2030, 1, 31, 9, tzinfo=UTC)
    assert time.tzinfo is UTC


@pytest.mark.parametrize(
    "given",
    [
        1895734800,
        0.5,
        "1895734800",
        "0.5",
        "2030-01-31",
        "2030-01-31T09:00:00",
        "2030-02-31T09:00:00Z",
        "٢٠30-01-31T09:00:00Z",
    ],
)
def test_what_rfc_3339_would_not_write_is_no_time(given: object) -> None:
    assert refused(Timestamp, given)


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_that_has_no_year_in_utc_is_refused(given: str) -> None:
    assert refused(Timestamp, given)


def test_an_unknown_field_is_an_error() -> None:
    class Body(Input):
        city: Line

    with pytest.raises(ValidationError) as error:
        Body.model_validate({"city": "Tashkent", "citty": "Tashkent"})
    assert [(e["loc"], e["type"]) for e in error.value.errors()] == [(("citty",), "extra_forbidden")]


@pytest.mark.parametrize(("amount", "said"), [("150000", "150000.00"), ("0.1", "0.10"), ("1E+3", "1000.00")])
def test_money_goes_out_as_a_string_with_two_places(amount: str, said: str) -> None:
    class Out(BaseModel):
        total: Money

    assert orjson.loads(Out(total=Decimal(amount)).model_dump_json()) == {"total": said}


def test_rows_go_out_with_amounts_and_ids_as_strings() -> None:
    id_ = UUID("0199b6d1-ab11-7222-8c33-4444a5556666")
    answer = RowsResponse({"results": [{"id": id_, "price": Decimal("150000.00"), "city": None}]})

    assert answer.media_type == "application/json"
    assert orjson.loads(answer.body) == {"results": [{"id": str(id_), "price": "150000.00", "city": None}]}


def test_a_row_with_a_value_of_no_known_kind_is_an_error() -> None:
    with pytest.raises(TypeError):
        RowsResponse({"results": [object()]})
