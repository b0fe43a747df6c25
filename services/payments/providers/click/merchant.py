"""Click's Merchant API: what became of a payment, and sending one back."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from services.payments.providers import OutcomeUnknown
from services.payments.providers.click import ClickAccount
from services.payments.providers.http import TOTAL, ProviderHttp, Refused

URL = "https://api.click.uz/v2/merchant"


@dataclass(frozen=True)
class ClickPayment:
    payment_id: int | None
    """Click's `click_paydoc_id`."""
    status: int
    """Negative: failed; 0 created, 1 in processing, 2 paid."""

    @property
    def is_paid(self) -> bool:
        return self.status == 2

    @property
    def has_failed(self) -> bool:
        return self.status < 0


def is_reversible(paid_on: date, today: date) -> bool:
    """Whether Click still sends a payment back: in its calendar month, and on the 1st of the next; days of Tashkent."""
    if today.day == 1:
        today -= timedelta(days=1)
    return (paid_on.year, paid_on.month) >= (today.year, today.month)


def auth_header(account: ClickAccount, timestamp: int) -> str:
    digest = hashlib.sha1(f"{timestamp}{account.secret_key}".encode(), usedforsecurity=False).hexdigest()
    return f"{account.merchant_user_id}:{digest}:{timestamp}"


class ClickMerchantApi:
    """Every call raises `Refused` and `OutcomeUnknown`."""

    def __init__(
        self,
        account: ClickAccount,
        *,
        url: str = URL,
        total: float = TOTAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account, self._clock = account, clock
        self._http = ProviderHttp(url, total=total)

    async def payment(self, payment_id: int) -> ClickPayment:
        """The payment of that `click_paydoc_id`."""
        return _payment(await self._ask("GET", f"/payment/status/{self._account.service_id}/{payment_id}"))

    async def payment_of_order(self, order_number: str, day: date) -> ClickPayment:
        """The payment of that order made on `day`, by Click's clock (Asia/Tashkent)."""
        order = quote(order_number, safe="")
        path = f"/payment/status_by_mti/{self._account.service_id}/{order}/{day.isoformat()}"
        return _payment(await self._ask("GET", path))

    async def reverse(self, payment_id: int) -> None:
        """Send the whole payment back. Click refuses what was paid before the current month, and some cards."""
        await self._ask("DELETE", f"/payment/reversal/{self._account.service_id}/{payment_id}")

    async def close(self) -> None:
        await self._http.close()

    async def _ask(self, method: str, path: str) -> dict[str, Any]:
        headers = {"Auth": auth_header(self._account, int(self._clock())), "Accept": "application/json"}
        status, body = await self._http.ask(method, path, safe=method == "GET", headers=headers)
        code = body.get("error_code")
        if isinstance(code, int) and code != 0:
            raise Refused(code, str(body.get("error_note", "")))
        if code != 0 or status >= 400:
            raise OutcomeUnknown(f"status {status} without a code")
        return body


def _payment(body: dict[str, Any]) -> ClickPayment:
    status, payment_id = body.get("payment_status"), body.get("payment_id")
    if not isinstance(status, int):
        raise OutcomeUnknown("a payment without a status")
    return ClickPayment(payment_id if isinstance(payment_id, int) else None, status)
