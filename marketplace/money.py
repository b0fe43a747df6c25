"""What a person does to payments from the command line: prove the books, ask providers about what hangs.

Works on the database, beside running services or without.
"""

from pathlib import Path
from typing import Any

from marketplace.beside import on_each
from marketplace.errors import CannotStart
from services.payments.app import payment_providers
from services.payments.config import PaymentsSettings
from services.payments.flows import timers
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.repo import verify
from services.payments.repo.payments import attention_queue
from services.payments.repo.refunds import count_manual
from shared.db import Database
from shared.http.internal import InternalClient


def verify_ledger(data: Path) -> None:
    """Raises `CannotStart` with a line for each difference."""

    async def look(_: str, database: Database, __: PaymentsSettings) -> list[str]:
        async with database.snapshot() as session:
            return await verify.differences(session)

    if found := on_each(data, "payments", look)["payments"]:
        raise CannotStart("\n".join(found))
    print("The ledger balances, and agrees with payments, refunds and payouts.")


def reconcile(data: Path) -> None:
    """Ask providers once about what hangs, and print what waits for a person."""

    async def ask(_: str, database: Database, settings: PaymentsSettings) -> tuple[int, int, list[dict[str, Any]]]:
        internal = InternalClient("payments", settings)
        flows = PaymentFlows(database, internal), RefundFlows(database)
        providers = payment_providers(database, settings)
        try:
            closed = await timers.reconcile(*flows, settings, providers)
        finally:
            await providers.close()
            await internal.close()
        async with database.session() as session:
            return closed, await count_manual(session), list(await attention_queue(session))

    closed, manual, queue = on_each(data, "payments", ask)["payments"]
    print(f"{closed} payments and refunds have an outcome now; {manual} refunds wait for a person.")
    for payment in queue:
        print(f"{payment['id']}  order {payment['order_number']}  {payment['attention']}")
