"""Who hears what, in which words."""

from enum import StrEnum


class Type(StrEnum):
    ORDER_CREATED = "order_created"
    ORDER_ASSIGNED = "order_assigned"
    ORDER_STATUS_CHANGED = "order_status_changed"
    PAYMENT_SUCCESS = "payment_success"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REFUNDED = "payment_refunded"


class MailKind(StrEnum):
    """What the one-time link in a mail is for."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name, no secret
    CONFIRM_EMAIL = "confirm_email"


_TITLES = {
    Type.ORDER_CREATED: "New order {number}: {service}",
    Type.ORDER_ASSIGNED: "Order {number} is accepted",
    Type.ORDER_STATUS_CHANGED: "Order {number} is now {status}",
    Type.PAYMENT_SUCCESS: "Order {number} is paid: {amount} {currency}",
    Type.PAYMENT_FAILED: "Payment of order {number} failed",
    Type.PAYMENT_REFUNDED: "Of order {number}, {amount} {currency} went back",
}


def title(kind: Type, **values: object) -> str:
    """One line for a person."""
    if "status" in values:
        values["status"] = str(values["status"]).replace("_", " ")
    return _TITLES[kind].format(**values)


class CloseCode:
    """Why the server closes a WebSocket (RFC 6455 leaves 4000 to 4999 to applications)."""

    UNAUTHENTICATED = 4401
    TRY_AGAIN_LATER = 1013
