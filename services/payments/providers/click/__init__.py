"""Click: the SHOP-API, by which it calls us, as pure rules; the pay page; the Merchant API, which we call."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from urllib.parse import urlencode

from services.payments.config import PaymentsSettings

CHECKOUT_URL = "https://my.click.uz/services/pay"


@dataclass(frozen=True)
class ClickAccount:
    """A service as Click's cabinet shows it."""

    service_id: int
    merchant_id: int
    merchant_user_id: int
    secret_key: str = field(repr=False)
    checkout_url: str = CHECKOUT_URL
    busy_code: int = -7
    """What Prepare on an order that another attempt holds is answered; no document names a code for it."""


def account_of(settings: PaymentsSettings) -> ClickAccount | None:
    """None where Click is not configured."""
    service_id, secret_key = settings.click_service_id, settings.click_secret_key
    merchant_id, merchant_user_id = settings.click_merchant_id, settings.click_merchant_user_id
    if service_id is None or merchant_id is None or merchant_user_id is None or not secret_key:
        return None
    url = settings.click_checkout_url or CHECKOUT_URL
    return ClickAccount(service_id, merchant_id, merchant_user_id, secret_key.get_secret_value(), url)


def pay_link(
    account: ClickAccount,
    order_number: str,
    amount: Decimal,
    *,
    return_url: str | None = None,
    card_type: Literal["uzcard", "humo"] | None = None,
) -> str:
    """Where to send the payer; `amount` in so'm."""
    given = {
        "service_id": account.service_id,
        "merchant_id": account.merchant_id,
        "amount": f"{amount:.2f}",
        "transaction_param": order_number,
        "return_url": return_url,
        "card_type": card_type,
    }
    return f"{account.checkout_url}?{urlencode({name: value for name, value in given.items() if value is not None})}"
