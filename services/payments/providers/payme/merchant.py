"""Paying on Payme's page. What becomes of it Payme tells us by its Merchant API; over that we can tell it nothing."""

from services.payments.models import Payment, Refund
from services.payments.providers import CannotRefund, Charge, OutcomeUnknown
from services.payments.providers.payme import PaymeAccount
from services.payments.providers.payme.checkout import checkout_link


class PaymeMerchant:
    """What hangs ends by Payme's call, or by time; a refund is made in its cabinet, and told by CancelTransaction."""

    def __init__(self, account: PaymeAccount) -> None:
        self._account = account

    def checkout_url(self, payment: Payment) -> str:
        return checkout_link(self._account, payment.order_number, payment.amount, return_url=payment.return_url)

    async def find(self, payment: Payment) -> Charge | None:
        raise OutcomeUnknown("Payme can't be asked")

    async def void(self, payment: Payment) -> Charge:
        raise OutcomeUnknown("Payme can't be told")

    async def refund(self, payment: Payment, refund: Refund) -> None:
        raise CannotRefund("made-in-payme-cabinet")
