"""What a mail of news says, and what a name in it may not do."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.notifications.domain import Type
from services.notifications.mailers import Mail, to_message
from services.notifications.texts.mails import News, digest
from shared.contracts.accounts import Language

PUBLIC_URL = "https://shop.example/"


def news(kind: Type = Type.ORDER_CREATED, number: str = "2026-000042", **changed: Any) -> News:
    data = {
        "number": number,
        "service_title": "Leaking tap repair",
        "status": "completed",
        "amount": "150000.00",
        "currency": "UZS",
        **changed,
    }
    return News(kind, data)


def said(what: Sequence[News], count: int | None = None, language: Language = "en", name: str = "Malika") -> Mail:
    total = len(what) if count is None else count
    subject, text, preferences = digest(what, total, language, full_name=name, public_url=PUBLIC_URL)
    return Mail("malika@example.com", subject, text, preferences)


def test_one_notification_is_its_own_subject() -> None:
    mail = said([news(Type.ORDER_ASSIGNED)])

    assert mail.subject == "Order 2026-000042 is accepted"
    assert mail.text == (
        "Hello, Malika!\n"
        "\n"
        "Order 2026-000042 is accepted\n"
        "\n"
        "https://shop.example/notifications\n"
        "\n"
        "-- \n"
        "Choose what you get by mail:\n"
        "https://shop.example/notifications/preferences\n"
    )


def test_several_are_counted_and_what_is_of_one_order_stands_together() -> None:
    several = [
        news(Type.ORDER_CREATED),
        news(Type.ORDER_CREATED, "2026-000043"),
        news(Type.ORDER_STATUS_CHANGED),
        news(Type.PAYMENT_SUCCESS),
        news(Type.ORDER_ASSIGNED, "2026-000043"),
    ]

    mail = said(several, count=26, language="ru")

    assert mail.subject == "26 новых уведомлений"
    assert mail.text.replace("\N{NO-BREAK SPACE}", " ") == (
        "Здравствуйте, Malika!\n"
        "\n"
        "26 новых уведомлений:\n"
        "\n"
        "- Новый заказ 2026-000042: Leaking tap repair\n"
        "- Статус заказа 2026-000042: выполнен\n"
        "- Заказ 2026-000042 оплачен: 150 000,00 UZS\n"
        "\n"
        "- Новый заказ 2026-000043: Leaking tap repair\n"
        "- Заказ 2026-000043 принят\n"
        "\n"
        "и ещё 21\n"
        "\n"
        "https://shop.example/notifications\n"
        "\n"
        "-- \n"
        "Выбрать, о чём вам писать на почту:\n"
        "https://shop.example/notifications/preferences\n"
    )


def test_a_mail_of_news_names_the_page_of_preferences_to_mail_programs() -> None:
    message = to_message(said([news()]), "no-reply@shop.example")

    assert message["List-Unsubscribe"] == "<https://shop.example/notifications/preferences>"


@pytest.mark.parametrize(
    ("service_title", "subject"),
    [
        ("Cheap at evil.example", "New order 2026-000042"),
        ("https://evil.example", "New order 2026-000042"),
        ("Tap\r\nBcc: all@example.com", "New order 2026-000042"),
        ("Tap\r\nrepair\u202e", "New order 2026-000042: Tap repair"),
        ("\n", "New order 2026-000042"),
        ("100% %(number)s", "New order 2026-000042: 100% %(number)s"),
        ("x" * 500, f"New order 2026-000042: {'x' * 80}"),
    ],
)
def test_what_a_worker_calls_a_service_is_no_link_and_leaves_no_header(service_title: str, subject: str) -> None:
    mail = said([news(service_title=service_title)])

    assert mail.subject == subject
    assert subject in mail.text.splitlines()
    assert to_message(mail, "no-reply@shop.example")["Subject"] == subject


def test_a_name_that_could_become_a_link_is_left_out() -> None:
    assert said([news()], name="evil.example").text.startswith("Hello!\n\n")
