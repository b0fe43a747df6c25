"""Payme's side of these tests."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import select

from marketplace.simulators.calls import PaymeDesk
from marketplace.simulators.payme_play import new_id, now
from marketplace.simulators.sender import Sender
from marketplace.system import System
from services.payments.models import PaymeTransactionRow
from tests.integration.payments.books import database

MERCHANT_ID, KEY = "5f1d9d2a4b3c2d1e0f9a8b7c", "a key of the tests alone, and of no cash desk"
HALF_A_DAY = 43_200_000

Order = dict[str, Any]


@dataclass
class Payme:
    """Calls, and gives back what is answered: the result, or the error's code."""

    desk: PaymeDesk
    sender: Sender = field(default_factory=Sender)

    async def call(self, method: str, **params: Any) -> Any:
        [answer] = await self.sender.send(self.desk.call(method, params))
        assert answer.status_code == 200
        said = answer.json()
        return said["result"] if "result" in said else said["error"]["code"]

    async def check(self, order: Order) -> Any:
        return await self.call("CheckPerformTransaction", **self.about(order))

    async def create(self, order: Order, transaction_id: str | None = None) -> Any:
        params = {"id": transaction_id or new_id(), "time": now(), **self.about(order)}
        return await self.call("CreateTransaction", **params)

    async def perform(self, transaction_id: str) -> Any:
        return await self.call("PerformTransaction", id=transaction_id)

    async def cancel(self, transaction_id: str, reason: int = 5) -> Any:
        return await self.call("CancelTransaction", id=transaction_id, reason=reason)

    async def look(self, transaction_id: str) -> Any:
        return await self.call("CheckTransaction", id=transaction_id)

    async def paid(self, order: Order) -> str:
        """The id of a transaction that paid the order."""
        transaction_id = new_id()
        assert (await self.create(order, transaction_id))["state"] == 1
        assert (await self.perform(transaction_id))["state"] == 2
        return transaction_id

    def about(self, order: Order) -> dict[str, Any]:
        return {"amount": tiyin(order), "account": self.desk.account(order["number"])}


def tiyin(order: Order) -> int:
    return int(order["total"].replace(".", ""))


async def stored(system: System, transaction_id: str) -> PaymeTransactionRow | None:
    async with database(system).session() as session:
        found = select(PaymeTransactionRow).where(PaymeTransactionRow.id == transaction_id)
        return (await session.exec(found)).first()
