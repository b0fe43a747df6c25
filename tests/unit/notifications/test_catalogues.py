"""What translators work with: every language has every message of the code, and nothing else."""

import re
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.notifications import texts
from services.notifications.texts.catalogues import LANGUAGES, catalogue_of, words_in
from shared.contracts.accounts import Language

Key = tuple[str | None, str | tuple[str, ...]]
ONE_OF_EACH_FORM: dict[Language, dict[int, str]] = {
    "uz": {1: "1 ta yangi xabar", 5: "5 ta yangi xabar"},
    "ru": {
        1: "1 новое уведомление",
        2: "2 новых уведомления",
        5: "5 новых уведомлений",
        11: "11 новых уведомлений",
        12: "12 новых уведомлений",
        21: "21 новое уведомление",
        104: "104 новых уведомления",
        112: "112 новых уведомлений",
    },
    "en": {1: "1 new notification", 5: "5 new notifications"},
}


@cache
def catalogue(language: Language) -> Catalog:
    return read_po(BytesIO(catalogue_of(language)), locale=language, abort_invalid=True)


def messages(language: Language) -> dict[Key, Message]:
    return {(message.context, message.id): message for message in catalogue(language) if message.id}


def in_code() -> set[Key]:
    (folder,) = texts.__path__
    return {(context, found) for _, _, found, _, context in extract_from_dir(folder)}


def forms(sentence: str | tuple[str, ...]) -> tuple[str, ...]:
    return (sentence,) if isinstance(sentence, str) else sentence


def placeholders(sentence: str) -> set[str]:
    return {*re.findall(r"%\(\w+\)\w", sentence)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_the_messages_of_the_code_and_no_others(language: Language) -> None:
    assert messages(language).keys() == in_code()
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_with_the_same_placeholders(language: Language) -> None:
    for message in messages(language).values():
        assert not message.fuzzy, message.id
        for translated in forms(message.string):
            assert translated.strip(), message.id
            assert placeholders(translated) == placeholders(forms(message.id)[0])
            assert "%" not in re.sub(r"%\(\w+\)\w", "", translated)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_with_a_number_has_all_forms_of_its_language(language: Language) -> None:
    plural = [message for message in messages(language).values() if not isinstance(message.id, str)]

    assert plural
    assert {len(message.string) for message in plural} == {{"uz": 1, "ru": 3, "en": 2}[language]}
    assert catalogue(language).locale == Locale(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_gets_the_form_it_needs(language: Language) -> None:
    for count, said in ONE_OF_EACH_FORM[language].items():
        sentence = words_in(language).ngettext("%(count)d new notification", "%(count)d new notifications", count)
        assert sentence % {"count": count} == said


def test_english_says_what_the_code_says() -> None:
    for message in messages("en").values():
        assert forms(message.string) == forms(message.id)


def test_catalogues_are_found_beside_the_package_from_which_a_wheel_is_built() -> None:
    locale = files("services.notifications").joinpath("locale")
    assert {folder.name for folder in locale.iterdir()} == {*LANGUAGES}
    assert Path(str(locale)).parent == Path(texts.__path__[0]).parent
