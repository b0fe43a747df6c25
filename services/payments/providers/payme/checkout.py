"""The page on which a payer of Payme pays."""

import base64
from decimal import Decimal
from typing import Literal

from services.payments.providers.payme import ACCOUNT_FIELD, PaymeAccount, to_tiyin

Language = Literal["ru", "uz", "en"]


def checkout_link(
    account: PaymeAccount,
    order_number: str,
    amount: Decimal,
    *,
    language: Language | None = None,
    return_url: str | None = None,
) -> str:
    """Where to send the payer; `amount` in so'm. Raises `ValueError` for a value with `;`, which separates."""
    given = {
        "m": account.merchant_id,
        f"ac.{ACCOUNT_FIELD}": order_number,
        "a": str(to_tiyin(amount)),
        "l": language,
        "c": return_url,
    }
    for name, value in given.items():
        if value is not None and ";" in value:
            raise ValueError(f"{name} holds a semicolon")
    said = ";".join(f"{name}={value}" for name, value in given.items() if value is not None)
    return f"{account.checkout_url.rstrip('/')}/{base64.b64encode(said.encode()).decode()}"
