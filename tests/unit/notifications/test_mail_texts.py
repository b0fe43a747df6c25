"""What a mail says, in three languages, and what a name in it may not do."""

from datetime import timedelta
from typing import Any, get_args

import pytest

from services.notifications.domain import MailKind
from services.notifications.texts.mails import LONGEST_NAME, words_of
from shared.contracts.accounts import Language

URL = "https://shop.example/reset?token=a.b=c%20{d}"
LANGUAGES: list[Language] = [*get_args(Language)]


def said(kind: MailKind = MailKind.RESET_PASSWORD, language: Language = "en", **changed: Any) -> tuple[str, str]:
    values = {"full_name": "Malika Saidova", "url": URL, "lifetime": timedelta(minutes=30), **changed}
    return words_of(kind, language, **values)


def test_a_mail_in_full() -> None:
    assert said() == (
        "Reset your password",
        "Hello, Malika Saidova!\n"
        "\n"
        "A password reset was requested for your account. To choose a new password, open this link:\n"
        "\n"
        f"{URL}\n"
        "\n"
        "The link works only once, and for 30 minutes.\n"
        "\n"
        "If it was not you, ignore this mail: your password stays as it is.\n",
    )


@pytest.mark.parametrize("kind", MailKind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_greets_by_name_and_has_its_link_on_a_line_of_its_own(kind: MailKind, language: Language) -> None:
    _, text = said(kind, language)
    lines = text.splitlines()

    assert "Malika Saidova" in lines[0]
    assert URL in lines


def test_every_mail_has_words_of_its_own() -> None:
    mails = [said(kind, language) for kind in MailKind for language in LANGUAGES]
    assert len({subject for subject, _ in mails}) == len({text for _, text in mails}) == 6


@pytest.mark.parametrize(
    ("lifetime", "words"),
    [
        (timedelta(minutes=30), {"uz": " 30 daqiqa ", "ru": " 30 минут.", "en": " 30 minutes."}),
        (timedelta(minutes=21), {"ru": " 21 минуту."}),
        (timedelta(minutes=33), {"ru": " 33 минуты."}),
        (timedelta(minutes=11), {"ru": " 11 минут."}),
        (timedelta(hours=24) - timedelta(seconds=1), {"uz": " 24 soat ", "ru": " 24 часа.", "en": " 24 hours."}),
        (timedelta(minutes=119), {"en": " 119 minutes."}),
        (timedelta(seconds=2), {"uz": " 1 daqiqa ", "ru": " 1 минуту.", "en": " 1 minute."}),
    ],
)
def test_a_mail_says_how_long_its_link_holds(lifetime: timedelta, words: dict[Language, str]) -> None:
    for language, phrase in words.items():
        assert phrase in said(language=language, lifetime=lifetime)[1]


@pytest.mark.parametrize(
    "name",
    ["", " \n", "https://evil.example", "evil.example now", "me@evil.example", "evil.example/win", "www.evil.uz"],
)
def test_a_name_that_says_nothing_or_could_become_a_link_is_left_out(name: str) -> None:
    assert said(full_name=name)[1].startswith("Hello!\n\n")


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Malika\r\nBcc: all", "Hello!"),
        ("Malika\nSaidova", "Hello, Malika Saidova!"),
        ("Malika\u2028\u202eSaidova\x00", "Hello, Malika Saidova!"),
        ("G‘ayrat O‘g‘li-To‘ra", "Hello, G‘ayrat O‘g‘li-To‘ra!"),
        ("{url} %s", "Hello, {url} %s!"),
        ("M. Saidova", "Hello, M. Saidova!"),
        ("x" * 500, f"Hello, {'x' * LONGEST_NAME}!"),
    ],
)
def test_a_name_is_one_line_of_plain_words(name: str, greeted: str) -> None:
    assert said(full_name=name)[1].splitlines()[0] == greeted


def test_a_subject_holds_nothing_that_anybody_typed() -> None:
    assert said(full_name="A\r\nBcc: all@example.com")[0] == said()[0]
