"""Paying by Click: on its own page, and told by its own calls; we ask after payments and send them back."""

from datetime import date, datetime, timedelta, timezone

import structlog

from services.payments.models import Payment, Refund
from services.payments.providers import CannotRefund, Charge, OutcomeUnknown
from services.payments.providers.click import ClickAccount, pay_link
from services.payments.providers.click.merchant import ClickMerchantApi, is_reversible
from services.payments.providers.http import Refused
from shared.db.base import utcnow

TASHKENT = timezone(timedelta(hours=5))
DECLINED = "declined-by-click"

log = structlog.get_logger("payments")


class ClickProvider:
    """A payment's `transaction_id` is Click's `click_paydoc_id`: Prepare tells it before anything hangs on the
    attempt."""

    def __init__(self, account: ClickAccount, merchant_api: ClickMerchantApi) -> None:
        self._account, self._api = account, merchant_api

    def checkout_url(self, payment: Payment) -> str:
        return pay_link(self._account, payment.order_number, payment.amount, return_url=payment.return_url)

    async def find(self, payment: Payment) -> Charge | None:
        try:
            seen = await self._api.payment(_paydoc_id(payment))
        except Refused as refusal:
            # Which of its codes means that there is none, no document says.
            log.warning("click_does_not_know", payment_id=str(payment.id), code=refusal.code)
            return None
        if seen.is_paid:
            return Charge(str(_paydoc_id(payment)))
        return Charge(str(_paydoc_id(payment)), DECLINED) if seen.has_failed else None

    async def void(self, payment: Payment) -> Charge:
        """Click has no call for it. The attempt ends once its time is over; money that comes all the same is recorded
        then, as any other."""
        if utcnow() < payment.expires_at:
            raise OutcomeUnknown("the payer may still be at it")
        return Charge(str(_paydoc_id(payment)), "expired")

    async def refund(self, payment: Payment, refund: Refund) -> None:
        """Click sends back the whole of a payment of this month; everything else a person has to arrange with it."""
        assert payment.captured_at is not None  # noqa: S101 - or nothing could go back
        if refund.amount != payment.amount:
            raise CannotRefund("click-partial")
        if not is_reversible(_day(payment.captured_at), _day(utcnow())):
            raise CannotRefund("click-too-late")
        try:
            # Of an earlier try the answer may be lost: what was sent back is not asked for again.
            if not (await self._api.payment(_paydoc_id(payment))).has_failed:
                await self._api.reverse(_paydoc_id(payment))
        except Refused as refusal:
            log.warning("click_refuses_reversal", payment_id=str(payment.id), code=refusal.code)
            raise CannotRefund("click-refused") from refusal


def _paydoc_id(payment: Payment) -> int:
    return int(payment.transaction_id or 0)


def _day(moment: datetime) -> date:
    return moment.astimezone(TASHKENT).date()
