"""How the fake gateway decides: by card where the card says so, else by chance that can be repeated."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.payments.models import Payment
from services.payments.providers import Card, Charge, OutcomeUnknown
from services.payments.providers.fake import FakeGateway
from shared.ids import new_id

ANY_CARD = "5555555555554444"


class Gateway(FakeGateway):
    """Keeps its books in memory."""

    def __init__(self, success_rate: float = 0.8, seed: int | None = None) -> None:
        nowhere: Any = None
        super().__init__(nowhere, success_rate, seed)
        self.booked: list[tuple[UUID, Decimal, str | None]] = []

    async def _book(self, reference: UUID, amount: Decimal, declined_as: str | None) -> Charge:
        self.booked.append((reference, amount, declined_as))
        return Charge("fake-1", declined_as)


def card(number: str) -> Card:
    return Card(number, 12, 2099, "123")


def payment() -> Payment:
    return Payment(id=new_id(), amount=Decimal("150000.00"))


async def outcomes(gateway: Gateway, count: int, number: str | None = ANY_CARD) -> list[str | None]:
    charges = [await gateway.charge(payment(), card(number) if number else None) for _ in range(count)]
    return [charge.declined_as for charge in charges]


@pytest.mark.parametrize("number", ["4242424242424242", "8600495473316478"])
async def test_a_card_that_always_pays_pays_at_any_rate(number: str) -> None:
    assert await outcomes(Gateway(success_rate=0), 20, number) == [None] * 20


@pytest.mark.parametrize(
    ("number", "code"), [("4000000000000002", "card-declined"), ("4000000000009995", "insufficient-funds")]
)
async def test_a_card_that_never_pays_says_why_at_any_rate(number: str, code: str) -> None:
    assert await outcomes(Gateway(success_rate=1), 20, number) == [code] * 20


async def test_the_card_that_loses_its_answer_is_charged_all_the_same() -> None:
    gateway, charged = Gateway(success_rate=0), payment()

    with pytest.raises(OutcomeUnknown):
        await gateway.charge(charged, card("4000000000000119"))

    assert gateway.booked == [(charged.id, Decimal("150000.00"), None)]


async def test_the_same_seed_gives_the_same_sequence_and_another_seed_another() -> None:
    first, again = await outcomes(Gateway(seed=42), 50), await outcomes(Gateway(seed=42), 50)

    assert first == again
    assert first != await outcomes(Gateway(seed=43), 50)


async def test_known_cards_do_not_spend_chances() -> None:
    undisturbed, disturbed = Gateway(seed=42), Gateway(seed=42)
    await outcomes(disturbed, 7, "4242424242424242")

    assert await outcomes(disturbed, 50) == await outcomes(undisturbed, 50)


@pytest.mark.parametrize("number", [ANY_CARD, None])
async def test_others_follow_the_success_rate(number: str | None) -> None:
    assert await outcomes(Gateway(success_rate=1), 200, number) == [None] * 200
    assert await outcomes(Gateway(success_rate=0), 200, number) == ["card-declined"] * 200
    paid = (await outcomes(Gateway(success_rate=0.8, seed=1), 2000, number)).count(None)
    assert 0.77 < paid / 2000 < 0.83


def test_a_card_shows_nothing_of_itself_in_a_log() -> None:
    assert repr(card("4242424242424242")) == "Card()"
