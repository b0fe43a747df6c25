"""Searching for words."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func


def search_words(text: str) -> list[str]:
    """The words of a search, as far as a search can use them."""
    return re.findall(r"\w+", text.lower())[:10]


def has_words(vector: Any, words: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column of `tsvector`, made with 'simple', has each of `words`, or a word that begins with it."""
    query = " & ".join(f"'{word}':*" for word in words)
    found: ColumnElement[bool] = vector.bool_op("@@")(func.to_tsquery("simple", query))
    return found
