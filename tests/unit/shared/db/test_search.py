"""The words of a search."""

import re

import pytest

from shared.db.search import search_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Leaking TAP", ["leaking", "tap"]),
        ("  уборка, квартира! ", ["уборка", "квартира"]),
        ("", []),
        ("?!&|", []),
        ("tap's", ["tap", "s"]),
    ],
)
def test_a_search_is_for_its_words_in_lower_case(text: str, words: list[str]) -> None:
    assert search_words(text) == words


def test_a_search_is_for_ten_words_at_most() -> None:
    assert search_words(" ".join("abcdefghijklm")) == [*"abcdefghij"]


@pytest.mark.parametrize("text", ["a' | 'b", "a':* & !b", "a\\'b", "(a <-> b)", "a\x00b"])
def test_no_operator_of_the_full_text_search_gets_through(text: str) -> None:
    assert all(re.fullmatch(r"\w+", word) for word in search_words(text))
