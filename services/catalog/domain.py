"""Rules of catalog that need nothing but themselves."""

import re
import unicodedata
from collections.abc import Container
from enum import StrEnum
from itertools import count


class Status(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"
    HIDDEN = "hidden"
    ARCHIVED = "archived"


ERASED_TITLE = "—"
"""Of a service whose worker was erased."""


class PriceType(StrEnum):
    FIXED = "fixed"
    HOURLY = "hourly"


class Order(StrEnum):
    """The orderings of a list of services; `-` is descending."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    CHEAPEST = "price"
    DEAREST = "-price"
    WORST = "rating"
    BEST = "-rating"


_LETTERS = str.maketrans(
    "абвгдезийклмнопрстуфыэўқғҳ",
    "abvgdeziyklmnoprstufyeoqgh",
    "ъьʻʼ‘’'`",  # the apostrophes are of Uzbek's Latin letters oʻ and gʻ, as they are typed
) | str.maketrans({"ё": "yo", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya"})
"""Russian and Uzbek in ASCII; letters that they share are read as Russian."""
SLUG_LENGTH = 80
"""Of one made from a name; a number may follow."""


def slug_of(name: str) -> str:
    """`"Go‘zallik"` → `"gozallik"`, `"Ремонт в доме"` → `"remont-v-dome"`."""
    read = unicodedata.normalize("NFC", name).casefold().translate(_LETTERS)
    ascii_only = unicodedata.normalize("NFKD", read).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", ascii_only.lower())[:SLUG_LENGTH].strip("-") or "category"


def free_slug(slug: str, taken: Container[str]) -> str:
    """The slug, or the first of `slug-2`, `slug-3`… that is not taken."""
    numbered = (f"{slug}-{number}" for number in count(2))
    return slug if slug not in taken else next(each for each in numbered if each not in taken)
