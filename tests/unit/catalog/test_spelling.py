"""Uzbek in either script, and whatever apostrophes, is one spelling."""

import re

import pytest

from services.catalog.spelling import LONGEST, for_stems, in_latin, words


def latin(text: str) -> list[str]:
    return [in_latin(word) for word in words(text)]


@pytest.mark.parametrize(
    ("cyrillic", "in_latin_letters"),
    [
        ("Ўзбекистон", "Oʻzbekiston"),
        ("боғдорчилик", "bog‘dorchilik"),
        ("таъмирлаш", "ta’mirlash"),
        ("ёрдами", "yordami"),
        ("елим", "yelim"),
        ("кетмон", "ketmon"),
        ("поезд", "poyezd"),
        ("объект", "obyekt"),
        ("эшик", "eshik"),
        ("қурилиш", "qurilish"),
        ("ҳовли", "hovli"),
        ("хона", "xona"),
        ("жўмрак", "jo'mrak"),
        ("чилангар", "chilangar"),
        ("цирк", "sirk"),
        ("концерт", "konsert"),
        ("лицей", "litsey"),
        ("декабрь", "dekabr"),
        ("юк ташиш", "yuk tashish"),
        ("САНТЕХНИКА", "Santexnika"),
    ],
)
def test_a_word_in_cyrillic_letters_is_the_one_in_latin_letters(cyrillic: str, in_latin_letters: str) -> None:
    assert latin(cyrillic) == latin(in_latin_letters)


@pytest.mark.parametrize("apostrophe", [*"'`´‘’‛ʻʼʽʾ′＇", ""])
def test_all_apostrophes_are_one_and_none(apostrophe: str) -> None:
    assert latin(f"go{apostrophe}zallik ta{apostrophe}mir") == ["gozallik", "tamir"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Leaking TAP", ["leaking", "tap"]),
        ("  уборка, квартира! ", ["уборка", "квартира"]),
        ("24/7 a_b", ["24", "7", "a", "b"]),
        ("Ta’mir-ish", ["tamir", "ish"]),
        ("й", ["й"]),
        ("", []),
        ("?!&|'", []),
    ],
)
def test_the_words_of_a_text_are_in_lower_case_and_their_own_script(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_russian_words_are_stemmed_without_the_letter_that_few_type() -> None:
    assert [for_stems(word) for word in words("Фотосъёмка Ёлка")] == ["фотосъемка", "елка"]


@pytest.mark.parametrize("text", ["a' | 'b", "a':* & !b", "a\\'b", "(a <-> b)", "a\x00b", "ﷺ", "²ß½"])
def test_no_operator_of_the_full_text_search_gets_through(text: str) -> None:
    assert all(re.fullmatch(r"\w+", word) for word in [*words(text), *latin(text)])


def test_of_a_long_word_its_beginning_counts() -> None:
    assert words("щ" * 5000) == ["щ" * LONGEST]
