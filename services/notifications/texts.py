"""The words of mails, in the languages of those who read them."""

import re
from dataclasses import dataclass
from datetime import timedelta

from services.notifications.domain import MailKind
from shared.contracts.accounts import Language

LONGEST_NAME = 80


@dataclass(frozen=True)
class _Frame:
    """What all mails of a language have in common."""

    greeting: str
    lifetime: str
    minutes: str
    hours: str


_FRAMES: dict[Language, _Frame] = {
    "uz": _Frame(
        "Assalomu alaykum", "Havola faqat bir marta ishlaydi va {time} davomida amal qiladi.", "daqiqa", "soat"
    ),
    "ru": _Frame("Здравствуйте", "Ссылка сработает только один раз и действует {time}", "мин.", "ч."),
    "en": _Frame("Hello", "The link works only once, and for {time}.", "min", "h"),
}

# (subject, what the link is for, what to do if it was not you)
_WORDS: dict[MailKind, dict[Language, tuple[str, str, str]]] = {
    MailKind.RESET_PASSWORD: {
        "uz": (
            "Parolni tiklash",
            "Hisobingiz parolini tiklash so‘raldi. Yangi parol o‘rnatish uchun havolani oching:",
            "Buni siz so‘ramagan bo‘lsangiz, ushbu xatga e’tibor bermang: parolingiz o‘zgarmaydi.",
        ),
        "ru": (
            "Сброс пароля",
            "Для вашей учётной записи запрошен сброс пароля. Чтобы задать новый, откройте ссылку:",
            "Если это были не вы, не обращайте внимания на это письмо: пароль останется прежним.",
        ),
        "en": (
            "Reset your password",
            "A password reset was requested for your account. To choose a new password, open this link:",
            "If it was not you, ignore this mail: your password stays as it is.",
        ),
    },
    MailKind.CONFIRM_EMAIL: {
        "uz": (
            "Elektron pochta manzilingizni tasdiqlang",
            "Bu manzil xizmatlar bozoridagi hisobda ko‘rsatilgan. U sizniki ekanini tasdiqlash uchun havolani oching:",
            "Buni siz qilmagan bo‘lsangiz, ushbu xatga e’tibor bermang.",
        ),
        "ru": (
            "Подтвердите адрес электронной почты",
            "Этот адрес указан в учётной записи на площадке услуг. Чтобы подтвердить, что он ваш, откройте ссылку:",
            "Если это были не вы, не обращайте внимания на это письмо.",
        ),
        "en": (
            "Confirm your e-mail address",
            "This address was given for an account on the marketplace. To confirm that it is yours, open this link:",
            "If it was not you, ignore this mail.",
        ),
    },
}


def words_of(kind: MailKind, language: Language, *, full_name: str, url: str, lifetime: timedelta) -> tuple[str, str]:
    """(subject, text) of a mail that brings a one-time link."""
    frame = _FRAMES[language]
    subject, purpose, otherwise = _WORDS[kind][language]
    name = _harmless(full_name)
    greeting = f"{frame.greeting}, {name}!" if name else f"{frame.greeting}!"
    holds = frame.lifetime.format(time=_duration(lifetime, frame))
    return subject, "\n\n".join((greeting, purpose, url, holds, otherwise)) + "\n"


def _harmless(name: str) -> str:
    """The name on one line; empty where a mail program could make a link of it.

    Anyone may register a stranger's address under a name that advertises: the stranger would get it from us.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    return "" if re.search(r"[/@:]|\w\.\w", line) else line[:LONGEST_NAME].rstrip()


def _duration(length: timedelta, frame: _Frame) -> str:
    """Rounded, since a link of 24 hours has a second less by the time it is sent."""
    minutes = max(1, round(length.total_seconds() / 60))
    return f"{minutes} {frame.minutes}" if minutes < 120 else f"{round(minutes / 60)} {frame.hours}"
