"""Providers that these tests play themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from marketplace.system import System
from services.payments.models import Payment, Refund
from services.payments.providers import CannotRefund, Card, CardToken, Charge, OutcomeUnknown
from tests.support.events import settings_changed


class Mute:
    """Can be asked nothing, and told nothing."""

    async def find(self, payment: Payment) -> Charge | None:
        raise OutcomeUnknown

    async def void(self, payment: Payment) -> Charge:
        raise OutcomeUnknown

    async def refund(self, payment: Payment, refund: Refund) -> None:
        raise CannotRefund("only-in-the-cabinet")


class Page(Mute):
    """One on whose page the payer pays."""

    def checkout_url(self, payment: Payment) -> str:
        return f"https://pay.example.com/{payment.order_number}/{payment.amount}"


class Receipts(Mute):
    """One that charges tokens."""

    async def charge(self, payment: Payment, source: Card | CardToken | None) -> Charge:
        assert isinstance(source, CardToken)
        return Charge(f"receipt-{payment.id}")


@contextmanager
def live(system: System) -> Iterator[None]:
    """Let payments go by these for a while."""
    state = system.apps["payments"].state
    before = state.providers
    ours = {("live", "payme"): Page(), ("live", "click"): Page(), ("live", "card"): Receipts()}
    state.providers = replace(before, of_methods={**before.of_methods, **ours})
    try:
        with settings_changed(system, "payments", payment_gateway="live"):
            yield
    finally:
        state.providers = before
