"""The one line that a person reads."""

from decimal import Decimal

import pytest

from services.notifications.domain import Type
from services.notifications.texts.catalogues import LANGUAGES
from services.notifications.texts.titles import title
from shared.contracts.accounts import Language

DATA = {
    "number": "2026-000042",
    "service_title": "Leaking tap repair",
    "status": "in_progress",
    "amount": "150000.00",
    "refund_amount": Decimal("1500.50"),
    "currency": "UZS",
}
TITLES: dict[Type, dict[Language, str]] = {
    Type.ORDER_CREATED: {
        "uz": "Yangi buyurtma 2026-000042: Leaking tap repair",
        "ru": "Новый заказ 2026-000042: Leaking tap repair",
        "en": "New order 2026-000042: Leaking tap repair",
    },
    Type.ORDER_ASSIGNED: {
        "uz": "2026-000042-buyurtma qabul qilindi",
        "ru": "Заказ 2026-000042 принят",
        "en": "Order 2026-000042 is accepted",
    },
    Type.ORDER_STATUS_CHANGED: {
        "uz": "2026-000042-buyurtma holati: bajarilmoqda",
        "ru": "Статус заказа 2026-000042: выполняется",
        "en": "Order 2026-000042 is now in progress",
    },
    Type.PAYMENT_SUCCESS: {
        "uz": "2026-000042-buyurtma uchun to‘lov qilindi: 150 000,00 UZS",
        "ru": "Заказ 2026-000042 оплачен: 150 000,00 UZS",
        "en": "Order 2026-000042 is paid: 150,000.00 UZS",
    },
    Type.PAYMENT_FAILED: {
        "uz": "2026-000042-buyurtma uchun to‘lov amalga oshmadi",
        "ru": "Оплата заказа 2026-000042 не прошла",
        "en": "Payment of order 2026-000042 failed",
    },
    Type.PAYMENT_REFUNDED: {
        "uz": "2026-000042-buyurtma uchun to‘langan puldan 1 500,50 UZS qaytarildi",
        "ru": "По заказу 2026-000042 возвращено 1 500,50 UZS",
        "en": "Of order 2026-000042, 1,500.50 UZS went back",
    },
    Type.ORDER_DISPUTED: {
        "uz": "Mijoz 2026-000042-buyurtma bo‘yicha shikoyat qildi",
        "ru": "Клиент подал жалобу по заказу 2026-000042",
        "en": "The client complains of order 2026-000042",
    },
    Type.ORDER_DISPUTE_RESOLVED: {
        "uz": "2026-000042-buyurtma bo‘yicha shikoyat ko‘rib chiqildi",
        "ru": "Жалоба по заказу 2026-000042 рассмотрена",
        "en": "The complaint about order 2026-000042 is decided",
    },
}


@pytest.mark.parametrize("kind", Type)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_has_its_title_in_each_language(kind: Type, language: Language) -> None:
    assert title(kind, DATA, language).replace("\N{NO-BREAK SPACE}", " ") == TITLES[kind][language]


@pytest.mark.parametrize(
    ("status", "uz", "ru", "en"),
    [
        ("pending", "kutilmoqda", "ожидает исполнителя", "pending"),
        ("assigned", "qabul qilindi", "принят", "assigned"),
        ("in_progress", "bajarilmoqda", "выполняется", "in progress"),
        ("completed", "bajarildi", "выполнен", "completed"),
        ("cancelled", "bekor qilindi", "отменён", "cancelled"),
        ("put_on_ice", "put on ice", "put on ice", "put on ice"),
    ],
)
def test_a_status_has_a_name_also_one_that_is_not_known_yet(status: str, uz: str, ru: str, en: str) -> None:
    names = {"uz": uz, "ru": ru, "en": en}
    for language in LANGUAGES:
        said = title(Type.ORDER_STATUS_CHANGED, {**DATA, "status": status}, language)
        assert said.endswith(f" {names[language]}")


def test_the_kinds_are_those_of_the_contract() -> None:
    assert {*Type} == {
        "order_created",
        "order_assigned",
        "order_status_changed",
        "payment_success",
        "payment_failed",
        "payment_refunded",
        "order_disputed",
        "order_dispute_resolved",
    }


def test_the_words_of_a_person_stay_as_they_are() -> None:
    said = title(Type.ORDER_CREATED, {**DATA, "service_title": "USB_C %(number)s {number} 100% repair"}, "en")
    assert said == "New order 2026-000042: USB_C %(number)s {number} 100% repair"
