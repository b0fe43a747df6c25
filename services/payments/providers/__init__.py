"""Whoever moves the money: a small port, and one file a provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from services.payments.domain import Gateway
from services.payments.models import Payment, Refund
from shared.errors import Unavailable


@dataclass(frozen=True)
class Card:
    """A card as the payer typed it. It is handed to the provider and kept nowhere; its repr holds no number."""

    number: str = field(repr=False)
    exp_month: int = field(repr=False)
    exp_year: int = field(repr=False)
    cvc: str = field(repr=False)


@dataclass(frozen=True)
class CardToken:
    """What a provider gave the payer's browser for a card that we never see."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class Charge:
    """What a provider says became of a charge."""

    transaction_id: str
    """Empty where the provider never had one."""
    declined_as: str | None = None
    """A slug such as `card-declined`; None where the money was taken."""


class OutcomeUnknown(Exception):
    """The provider did not answer. The money may have moved: ask later, never assume."""


class CannotRefund(Exception):
    """The provider can't be told by us to send this back: a person has to. The message is a slug that says why."""


class RefundDeclined(Exception):
    """The provider refuses, and has sent nothing. The message is a slug that says why."""


class PaymentProvider(Protocol):
    """A payment's id is the reference of its charge, a refund's id that of the refund: nothing happens twice under one
    reference, however often it is asked for."""

    async def find(self, payment: Payment) -> Charge | None:
        """What became of the charge; None if there never was one. Raises `OutcomeUnknown`."""

    async def void(self, payment: Payment) -> Charge:
        """See to it that the charge can't happen any more; if it already did, say so instead. Raises
        `OutcomeUnknown`."""

    async def refund(self, payment: Payment, refund: Refund) -> None:
        """Send it back. Raises `OutcomeUnknown`, `CannotRefund`, `RefundDeclined`."""


@runtime_checkable
class ChargingProvider(PaymentProvider, Protocol):
    """One that takes money when we ask for it."""

    async def charge(self, payment: Payment, source: Card | CardToken | None) -> Charge:
        """Take the payment's amount. Raises `OutcomeUnknown`."""


@runtime_checkable
class RedirectProvider(PaymentProvider, Protocol):
    """One on whose page the payer pays; its own calls then tell what became of it."""

    def checkout_url(self, payment: Payment) -> str:
        """Where the payer goes. Asks nobody."""


class Connections(Protocol):
    async def close(self) -> None: ...


AnyProvider = ChargingProvider | RedirectProvider


@dataclass(frozen=True)
class Providers:
    """Who moves the money, by gateway and method. Attempts outlive a setting: each stays with the gateway that it was
    opened under."""

    of_methods: Mapping[tuple[str, str], AnyProvider]
    connections: Sequence[Connections] = ()
    """What providers are called by."""

    def of(self, gateway: str, method: str) -> AnyProvider:
        """Raises `Unavailable` where none is configured."""
        provider = self.of_methods.get((gateway, method))
        if provider is None:
            raise Unavailable(f"Payment by {method} is not available.")
        return provider

    def of_payment(self, payment: Payment) -> AnyProvider:
        """Raises `Unavailable` where none is configured any more."""
        return self.of(payment.gateway, payment.method)

    async def close(self) -> None:
        for each in self.connections:
            await each.close()


def clearing_name(payment: Payment) -> str:
    """Whose books hold the payment's money: the fake gateway's, whatever the method, or the provider's."""
    return payment.gateway if payment.gateway == Gateway.FAKE else payment.method
