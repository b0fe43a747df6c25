"""Card numbers, which are refused wherever no card belongs: what is never taken can't be kept, logged or told on."""

import re
from typing import Any

from pydantic_core import PydanticCustomError

# How issuers' numbers are written: as one, in fours with a shorter group at the end, or in 4, 6 and 4 or 5.
_SHAPES = (
    r"[0-9]{13,19}",
    *(
        rf"(?<![0-9]{{4}}[ \xa0-])[0-9]{{4}}(?:[ \xa0-][0-9]{{4}}){{{fours}}}[ \xa0-][0-9]{{{rest}}}"
        r"(?![ \xa0-][0-9]{4}(?![0-9]))"
        for fours, rest in ((2, "1,4"), (3, "1,3"))
    ),
    r"[0-9]{4}[ \xa0-][0-9]{6}[ \xa0-][0-9]{4,5}",
)
# None begins with 0, 1 or 20, as times do; a plus makes a phone number of it, and a number before a hyphen the number
# of an order. In words, UUIDs and longer numbers there is no card.
_LIKE_CARDS = [re.compile(rf"(?<![0-9A-Za-z+])(?<![0-9]-)(?=[3-9]|2[2-7]){shape}(?![0-9A-Za-z])") for shape in _SHAPES]


def passes_luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def holds_card_number(text: str) -> bool:
    """Whether something in it reads as a card's number and has the right check digit."""
    found = (match for like_a_card in _LIKE_CARDS for match in like_a_card.findall(text))
    return any(passes_luhn(re.sub("[^0-9]", "", match)) for match in found)


def without_card(value: Any) -> Any:
    """The value, in whose texts no card's number is. Raises for one, and does not repeat it."""
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and holds_card_number(text) for text in texts):
        raise PydanticCustomError("card-number", "This reads as the number of a card, which does not belong here")
    return value
