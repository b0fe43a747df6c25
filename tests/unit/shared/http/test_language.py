"""The language that a request would like best, of those that we speak."""

import pytest

from shared.http.language import preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ru", "ru"),
        ("uz-Latn-UZ", "uz"),
        ("RU-ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=0.5, uz;q=0.9", "uz"),
        ("de, fr;q=0.9, uz;q=0.1", "uz"),
        ("ru;q=0.8, uz;q=0.8", "ru"),
        ("ru;q=0, uz;q=0.1", "uz"),
        ("ru;q=0", "en"),
        ("de", "en"),
        ("*", "en"),
        ("", "en"),
        (",,;q=1,;", "en"),
        ("ru;q=high, uz;q=0.2", "uz"),
        ("ru ; q = 0.3 , uz ; q=0.2", "ru"),
        ("ru;q=nan, uz;q=0.2", "uz"),
    ],
)
def test_the_best_liked_of_our_languages_wins(header: str, language: str) -> None:
    assert preferred_language(header) == language
