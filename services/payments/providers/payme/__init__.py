"""Payme: the Merchant API, by which it calls us, as pure rules; the checkout page; the Subscribe API, which we call."""

from dataclasses import dataclass, field
from decimal import Decimal

from services.payments.config import PaymentsSettings

ACCOUNT_FIELD = "order_id"
"""The cash desk's one account field; it holds the order's number."""


@dataclass(frozen=True)
class PaymeAccount:
    """A cash desk as Payme's cabinet shows it."""

    merchant_id: str
    keys: tuple[str, ...] = field(repr=False)
    """Passwords that Payme may call with. Outside production the sandbox's TEST_KEY too, in production never."""
    login: str = "Paycom"
    checkout_url: str = "https://checkout.paycom.uz"
    busy_code: int = -31008
    """What a second transaction on an order that another one holds is answered; the sources disagree."""

    @property
    def is_complete(self) -> bool:
        """Whether payers can be sent to it."""
        return bool(self.merchant_id and self.keys)


def account_of(settings: PaymentsSettings) -> PaymeAccount:
    """The cash desk as it is set; without keys Payme is believed nothing. Production has no test key: it would not
    have started."""
    keys = (key.get_secret_value() for key in (settings.payme_key, settings.payme_test_key))
    return PaymeAccount(
        settings.payme_merchant_id,
        tuple(filter(None, keys)),
        settings.payme_login,
        settings.payme_checkout_url,
        settings.payme_busy_code,
    )


def to_tiyin(amount: Decimal) -> int:
    """So'm to tiyin. Raises `ValueError` for what is not a whole number of them."""
    tiyin = amount * 100
    if tiyin != tiyin.to_integral_value():
        raise ValueError(f"{amount} is no whole number of tiyin")
    return int(tiyin)


def from_tiyin(tiyin: int) -> Decimal:
    """Tiyin to so'm with two places."""
    return Decimal(tiyin).scaleb(-2).quantize(Decimal("0.01"))
