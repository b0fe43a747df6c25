"""Readable addresses, and the words of a search."""

import re

import pytest

from services.catalog.domain import Order, search_words, slugify


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Home & garden", "home-garden"),
        ("  Plumbing  ", "plumbing"),
        ("Café crème", "cafe-creme"),
        ("IT/computers #1", "it-computers-1"),
        ("--x--", "x"),
        ("oʻqitish", "oqitish"),
        ("a\u00a0b", "a-b"),
    ],
)
def test_a_slug_is_the_name_in_plain_letters(name: str, slug: str) -> None:
    assert slugify(name) == slug


@pytest.mark.parametrize("name", ["x" * 100, "ÀÉÎ õ ü", "a/../b?c=d#e", "<script>", "100 %", "!!"])
def test_a_slug_holds_nothing_that_an_address_would_escape(name: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slugify(name))
    assert slugify(slugify(name)) == slugify(name)


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


def test_the_orderings_of_a_list_are_those_of_the_contract() -> None:
    assert {*Order} == {"created_at", "-created_at", "price", "-price", "rating", "-rating"}
