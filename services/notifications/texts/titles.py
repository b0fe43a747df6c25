"""A notification in one line."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from services.notifications.domain import Type
from services.notifications.texts.catalogues import Words, words_in
from shared.contracts.accounts import Language


def title(kind: Type, data: Mapping[str, Any], language: Language) -> str:
    """What has happened, by the notification's data, before or after it was JSON."""
    return _SENTENCES[kind](words_in(language), data)


def _created(words: Words, data: Mapping[str, Any]) -> str:
    if not data["service_title"]:
        return words.gettext("New order %(number)s") % data
    # Translators: %(number)s is the order's, as 2026-000042; %(service_title)s is what the worker calls their service
    return words.gettext("New order %(number)s: %(service_title)s") % data


def _assigned(words: Words, data: Mapping[str, Any]) -> str:
    return words.gettext("Order %(number)s is accepted") % data


def _moved(words: Words, data: Mapping[str, Any]) -> str:
    # Translators: %(status)s is one of the messages with the context "order status"
    return words.gettext("Order %(number)s is now %(status)s") % {**data, "status": _status(words, data["status"])}


def _paid(words: Words, data: Mapping[str, Any]) -> str:
    # Translators: %(amount)s is money with its currency, as 150 000,00 UZS
    return words.gettext("Order %(number)s is paid: %(amount)s") % _with_money(words, data, "amount")


def _payment_failed(words: Words, data: Mapping[str, Any]) -> str:
    return words.gettext("Payment of order %(number)s failed") % data


def _refunded(words: Words, data: Mapping[str, Any]) -> str:
    # Translators: money went back to the client: all that was paid for the order, or a part of it
    return words.gettext("Of order %(number)s, %(amount)s went back") % _with_money(words, data, "refund_amount")


def _disputed(words: Words, data: Mapping[str, Any]) -> str:
    return words.gettext("The client complains of order %(number)s") % data


def _resolved(words: Words, data: Mapping[str, Any]) -> str:
    return words.gettext("The complaint about order %(number)s is decided") % data


_SENTENCES: Mapping[Type, Callable[[Words, Mapping[str, Any]], str]] = {
    Type.ORDER_CREATED: _created,
    Type.ORDER_ASSIGNED: _assigned,
    Type.ORDER_STATUS_CHANGED: _moved,
    Type.PAYMENT_SUCCESS: _paid,
    Type.PAYMENT_FAILED: _payment_failed,
    Type.PAYMENT_REFUNDED: _refunded,
    Type.ORDER_DISPUTED: _disputed,
    Type.ORDER_DISPUTE_RESOLVED: _resolved,
}


def _with_money(words: Words, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**data, "amount": words.money(Decimal(data[name]), data["currency"])}


def _status(words: Words, status: str) -> str:
    """One that orders has and we have no word for yet stays as it is."""
    match status:
        case "pending":
            return words.pgettext("order status", "pending")
        case "assigned":
            return words.pgettext("order status", "assigned")
        case "in_progress":
            return words.pgettext("order status", "in progress")
        case "completed":
            return words.pgettext("order status", "completed")
        case "cancelled":
            return words.pgettext("order status", "cancelled")
    return status.replace("_", " ")
