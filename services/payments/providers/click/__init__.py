"""Click: the SHOP-API, by which it calls us, as pure rules; the pay page; the Merchant API, which we call."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from urllib.parse import urlencode


@dataclass(frozen=True)
class ClickAccount:
    """A service as Click's cabinet shows it."""

    service_id: int
    merchant_id: int
    merchant_user_id: int
    secret_key: str = field(repr=False)
    checkout_url: str = "https://my.click.uz/services/pay"
    busy_code: int = -7
    """What Prepare on an order that another attempt holds is answered; no document names a code for it."""


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
