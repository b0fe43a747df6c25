import pytest

from services.catalog.domain import Order, free_slug, slug_of


def test_the_orderings_of_a_list_are_those_of_the_contract() -> None:
    assert {*Order} == {"created_at", "-created_at", "price", "-price", "rating", "-rating"}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Home repair", "home-repair"),
        ("Go‘zallik va bog'dorchilik", "gozallik-va-bogdorchilik"),
        ("Oʻqituvchi, xizmatlar!", "oqituvchi-xizmatlar"),
        ("Ремонт бытовой техники", "remont-bytovoy-tekhniki"),
        ("Съёмка: щётки, цифры, ЭЮЯ", "syomka-shchyotki-tsifry-eyuya"),
        ("Ўқув, ғалла ва ҳаво", "oquv-galla-va-havo"),
        ("и\u0306од", "yod"),
        ("Café  №5", "cafe-no5"),
        ("汉语", "category"),
        ("--", "category"),
        ("a" * 200, "a" * 80),
    ],
)
def test_a_slug_is_the_name_in_ascii(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_no_letter_of_the_alphabets_is_lost() -> None:
    silent = {*"ъь"}
    for letter in {*"абвгдеёжзийклмнопрстуфхцчшщъыьэюяўқғҳ"} - silent:
        assert slug_of(letter) != "category", letter
        assert slug_of(letter.upper()) == slug_of(letter)


def test_a_taken_slug_gets_the_first_free_number() -> None:
    assert free_slug("music", set()) == "music"
    assert free_slug("music", {"music"}) == "music-2"
    assert free_slug("music", {"music", "music-2", "music-4"}) == "music-3"
