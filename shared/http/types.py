"""The kinds of values that the API's bodies are made of."""

import re
from decimal import Decimal
from typing import Annotated, Any

import phonenumbers
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError


def storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold a NUL character, which no database keeps")
    return text


class Input(BaseModel):
    """Base of what clients send: an unknown field is an error, so that no typing mistake is silently ignored."""

    model_config = ConfigDict(extra="forbid")


# What the validators do, for readers of the OpenAPI document.
STORABLE = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
NOT_BLANK = Field(json_schema_extra={"pattern": r"^[^\x00]*[^\x00\s][^\x00]*$"})

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(storable), NOT_BLANK
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000), AfterValidator(storable), STORABLE]


def e164(number: str) -> str:
    """The number as E.164 writes it; without a country code it is one of Uzbekistan. Raises for what is none."""
    # The library would also take letters, digits of any script, and extensions, which it then drops.
    if re.fullmatch(r"[0-9+() .-]+", number):
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
    StringConstraints(strip_whitespace=True, max_length=32),
    AfterValidator(e164),
    Field(description="Kept as E.164; without a country code it is Uzbek", examples=["+998901234567"]),
]

Price = Annotated[
    Decimal,
    Field(gt=0, max_digits=12, decimal_places=2, description="Two places, as a string", examples=["150000.00"]),
    AfterValidator(lambda value: value.quantize(Decimal("0.01"))),
]
Money = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str, when_used="json")]


def jsonable(value: Any) -> Any:
    """For what orjson does not know: exact amounts are strings."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
