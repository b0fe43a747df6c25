"""A payment gateway for development, with books of its own, so that a crash in the middle is a real one."""

import random
from decimal import Decimal
from uuid import UUID

from sqlalchemy import bindparam, func
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select

from services.payments.models import Base, FakeCharge, FakeRefund, Payment, Refund
from services.payments.providers import Card, CardToken, Charge, OutcomeUnknown, RefundDeclined
from shared.db import Database
from shared.db.base import utcnow
from shared.db.statements import Statement
from shared.ids import new_id

ALWAYS_PAYS = {"4242424242424242", "8600495473316478"}
LOSES_ITS_ANSWER = "4000000000000119"
DECLINED = {"4000000000000002": "card-declined", "4000000000009995": "insufficient-funds"}


class FakeGateway:
    """Charges go by card number, else by the success rate; `seed` makes the sequence of chances repeatable."""

    def __init__(self, database: Database, success_rate: float, seed: int | None) -> None:
        self._database, self._success_rate = database, success_rate
        self._random = random.Random(seed)  # noqa: S311 - chance for demonstrations, no secret

    async def charge(self, payment: Payment, source: Card | CardToken | None) -> Charge:
        number = source.number if isinstance(source, Card) else ""
        charge = await self._book(payment.id, payment.amount, self._decide(number))
        if number == LOSES_ITS_ANSWER:
            raise OutcomeUnknown("the answer was lost on its way")
        return charge

    async def find(self, payment: Payment) -> Charge | None:
        return await self._booked(payment.id)

    async def void(self, payment: Payment) -> Charge:
        return await self._book(payment.id, Decimal("0.00"), "voided")

    async def refund(self, payment: Payment, refund: Refund) -> None:
        async with self._database.session() as session:
            charge = (
                await session.exec(select(FakeCharge).where(FakeCharge.reference == payment.id).with_for_update())
            ).first()
            if await session.get(FakeRefund, refund.id):
                return
            back = select(func.coalesce(func.sum(FakeRefund.amount), Decimal("0.00")))
            sent = (await session.exec(back.where(FakeRefund.charge == payment.id))).one()
            if charge is None or charge.declined_as or sent + refund.amount > charge.amount:
                raise RefundDeclined("more-than-was-taken")
            row = FakeRefund(reference=refund.id, charge=payment.id, amount=refund.amount, created_at=utcnow())
            session.add(row)

    def _decide(self, number: str) -> str | None:
        if number in ALWAYS_PAYS or number == LOSES_ITS_ANSWER:
            return None
        if number in DECLINED:
            return DECLINED[number]
        return None if self._random.random() < self._success_rate else "card-declined"

    async def _booked(self, reference: UUID) -> Charge | None:
        found = await self._database.run(_BOOKED, reference=reference)
        return found[0] if found else None

    async def _book(self, reference: UUID, amount: Decimal, declined_as: str | None) -> Charge:
        """The first booking under a reference holds; any later one is told what it was."""
        row = {"transaction_id": f"fake-{new_id()}", "amount": amount, "declined_as": declined_as}
        new = await self._database.run(_BOOK, reference=reference, created_at=utcnow(), **row)
        booked = new[0] if new else await self._booked(reference)
        assert booked is not None  # noqa: S101 - just written, or there before
        return booked


_CHARGES = Base.metadata.tables["fake_charges"]
_AS_CHARGE = (_CHARGES.c.transaction_id, _CHARGES.c.declined_as)
_BOOKED = Statement(rows_of(*_AS_CHARGE).where(_CHARGES.c.reference == bindparam("reference")), Charge)
_BOOK = Statement(
    insert(_CHARGES)
    .values({column.name: bindparam(column.name) for column in _CHARGES.columns})
    .on_conflict_do_nothing()
    .returning(*_AS_CHARGE),
    Charge,
)
