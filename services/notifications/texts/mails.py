"""The words of mails."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from services.notifications.domain import MailKind, Type
from services.notifications.texts.catalogues import Words, words_in
from services.notifications.texts.titles import title
from shared.contracts.accounts import Language

LONGEST_NAME = 80
INBOX = "notifications"
PREFERENCES = "notifications/preferences"
"""Pages of the front end."""


def words_of(kind: MailKind, language: Language, *, full_name: str, url: str, lifetime: timedelta) -> tuple[str, str]:
    """(subject, text) of a mail that brings a one-time link."""
    words = words_in(language)
    subject, purpose, otherwise = _of_link(kind, words)
    # Translators: of the link above; %(time)s is "30 minutes" or "24 hours"
    holds = words.gettext("The link works only once, and for %(time)s.") % {"time": words.duration(lifetime)}
    return subject, _text(_greeting(words, full_name), purpose, url, holds, otherwise)


def _of_link(kind: MailKind, words: Words) -> tuple[str, str, str]:
    """Subject, what the link is for, what to do if it was not you."""
    _ = words.gettext
    if kind is MailKind.RESET_PASSWORD:
        return (
            _("Reset your password"),
            _("A password reset was requested for your account. To choose a new password, open this link:"),
            _("If it was not you, ignore this mail: your password stays as it is."),
        )
    return (
        _("Confirm your e-mail address"),
        _("This address was given for an account on the marketplace. To confirm that it is yours, open this link:"),
        _("If it was not you, ignore this mail."),
    )


@dataclass(frozen=True)
class News:
    """A notification to be told of by mail."""

    type: Type
    data: Mapping[str, Any]


def digest(
    news: Sequence[News], count: int, language: Language, *, full_name: str, public_url: str
) -> tuple[str, str, str]:
    """(subject, text, page of preferences) of a mail that tells of `count` notifications, `news` being all of them or
    the last ones. What is told of one order stands together."""
    words, pages = words_in(language), public_url.rstrip("/")
    preferences = f"{pages}/{PREFERENCES}"
    # Translators: below is the address of a page
    footer = words.gettext("Choose what you get by mail:") + "\n" + preferences
    ending = (f"{pages}/{INBOX}", f"-- \n{footer}")
    greeting = _greeting(words, full_name)
    if count == 1:
        line = _line(news[0], language)
        return line, _text(greeting, line, *ending), preferences
    # Translators: the subject of a mail
    subject = words.ngettext("%(count)d new notification", "%(count)d new notifications", count) % {"count": count}
    told = [*_by_order(news, language)]
    if rest := count - len(news):
        # Translators: the last line of a list of notifications: so many earlier ones are not in it
        told.append(words.ngettext("and %(count)d more", "and %(count)d more", rest) % {"count": rest})
    return subject, _text(greeting, f"{subject}:", *told, *ending), preferences


def _by_order(news: Sequence[News], language: Language) -> list[str]:
    """A paragraph an order, in the order of what was first heard of each."""
    first: dict[str, int] = {}
    for one in news:
        first.setdefault(one.data["number"], len(first))
    ordered = sorted(news, key=lambda one: first[one.data["number"]])
    groups = groupby(ordered, key=lambda one: one.data["number"])
    return ["\n".join(f"- {_line(one, language)}" for one in group) for _, group in groups]


def _line(news: News, language: Language) -> str:
    """The title, with nothing in it that a mail program could make a link of, or that could leave a header."""
    service_title = _harmless(news.data.get("service_title", ""))
    return title(news.type, {**news.data, "service_title": service_title}, language)


def _greeting(words: Words, full_name: str) -> str:
    name = _harmless(full_name)
    # Translators: the first line of a mail
    return words.gettext("Hello, %(name)s!") % {"name": name} if name else words.gettext("Hello!")


def _text(*paragraphs: str) -> str:
    return "\n\n".join(paragraphs) + "\n"


def _harmless(name: str) -> str:
    """The name on one line; empty where a mail program could make a link of it.

    Anyone may register a stranger's address under a name that advertises: the stranger would get it from us.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    return "" if re.search(r"[/@:]|\w\.\w", line) else line[:LONGEST_NAME].rstrip()
