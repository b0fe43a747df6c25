"""The kinds of values that the API's bodies are made of."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import phonenumbers
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from shared.http.cards import without_card


def storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold a NUL character, which no database keeps")
    return text


class Input(BaseModel):
    """Base of what clients send: an unknown field is an error, so that no typing mistake is silently ignored, and so is
    the number of a card in any text."""

    model_config = ConfigDict(extra="forbid")

    _without_card = field_validator("*")(without_card)


def without_defaults(schema: dict[str, Any]) -> None:
    """For the `json_schema_extra` of a PATCH's body: what is left out stays as it is, and becomes no default."""
    for field in schema["properties"].values():
        field.pop("default", None)


# What the validators do, for readers of the OpenAPI document.
_PHONE = r"^[0-9+() .-]+$"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
_PRICE = r"^([1-9][0-9]{0,9}(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?))$"
STORABLE = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
NOT_BLANK = Field(json_schema_extra={"pattern": r"^[^\x00]*[^\x00\s][^\x00]*$"})

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(storable), NOT_BLANK
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000), AfterValidator(storable), STORABLE]


def e164(number: str) -> str:
    """The number as E.164 writes it; without a country code it is one of Uzbekistan. Raises for what is none."""
    # The library would also take letters, digits of any script, and extensions, which it then drops.
    if re.fullmatch(_PHONE, number):
        try:
            parsed = phonenumbers.parse(number, "UZ")
        except phonenumbers.NumberParseException:
            pass
        else:
            if phonenumbers.is_valid_number(parsed):
                return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    raise PydanticCustomError("phone", "This is no valid phone number: write it like +998901234567")


Phone = Annotated[
    str,
    StringConstraints(max_length=32),
    AfterValidator(e164),
    Field(
        description="Kept as E.164; without a country code it is Uzbek",
        examples=["+998901234567"],
        json_schema_extra={"pattern": _PHONE},
    ),
]


def a_number(value: Any) -> Any:
    """Raises for `"5"` and `true`, which JSON tells from numbers and pydantic does not."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("number", "This is no number")
    return value


NUMBER = BeforeValidator(a_number)


def a_time(value: Any) -> Any:
    """Raises for what RFC 3339 would not write, such as seconds since 1970, which pydantic takes for a time as well."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and re.fullmatch(_TIME, value)):
        raise PydanticCustomError("time", "This is no time: write it like 2030-01-31T09:00:00Z")
    return value


def in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "This is a time of no year from 1 to 9999") from None


Timestamp = Annotated[AwareDatetime, BeforeValidator(a_time), AfterValidator(in_utc)]


def two_places(amount: Any) -> Decimal:
    """`"150000"` or 150000 → 150000.00. Raises for what is no price, and for a fraction that is no string: it would not
    be exact."""
    whole = int(amount) if isinstance(amount, float) and amount.is_integer() else amount
    text = str(whole) if type(whole) is int else whole
    if not isinstance(text, str) or not re.fullmatch(_PRICE, text):
        raise PydanticCustomError("price", "This is no price: write it like 150000.00")
    return Decimal(text).quantize(Decimal("0.01"))


Price = Annotated[
    Decimal,
    BeforeValidator(two_places),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": _PRICE}, {"type": "integer", "minimum": 1, "maximum": 10**10 - 1}],
            "description": "Two places, as a string",
            "examples": ["150000.00"],
        }
    ),
]
Money = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str, when_used="json")]


def jsonable(value: Any) -> Any:
    """For what orjson does not know: exact amounts are strings."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
