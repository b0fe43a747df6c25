"""Whoever moves the money: a small port, and one file a provider."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class Card:
    """A card as the payer typed it. It is handed to the provider and kept nowhere; its repr holds no number."""

    number: str = field(repr=False)
    exp_month: int = field(repr=False)
    exp_year: int = field(repr=False)
    cvc: str = field(repr=False)


@dataclass(frozen=True)
class Charge:
    """What a provider says became of a charge."""

    transaction_id: str
    declined_as: str | None = None
    """A slug such as `card-declined`; None where the money was taken."""


class OutcomeUnknown(Exception):
    """The provider did not answer. The money may have been taken: ask later, never assume."""


class PaymentProvider(Protocol):
    async def charge(self, reference: UUID, amount: Decimal, card: Card | None) -> Charge:
        """Take `amount`, once however often it is asked under the same `reference`. Raises `OutcomeUnknown`."""

    async def find(self, reference: UUID) -> Charge | None:
        """What became of the charge under `reference`; None if there never was one. Raises `OutcomeUnknown`."""

    async def void(self, reference: UUID) -> Charge:
        """See to it that a charge under `reference` can't happen any more; if it already did, say so instead."""
