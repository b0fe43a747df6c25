"""What a person does to payments from the command line: prove the books, ask providers about what hangs.

Works on the database, beside running services or without.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from marketplace.data_folder import embedded_databases, embedded_secrets
from marketplace.errors import CannotStart
from marketplace.registry import service_settings
from services.payments.app import payment_providers
from services.payments.config import PaymentsSettings
from services.payments.flows import timers
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.repo import verify
from services.payments.repo.payments import attention_queue
from services.payments.repo.refunds import count_manual
from shared.db import Database
from shared.errors import MarketplaceError
from shared.http.internal import InternalClient
from shared.observability.logging import configure_logging

Work = Callable[[Database, PaymentsSettings], Awaitable[Any]]


def verify_ledger(data: Path) -> None:
    """Raises `CannotStart` with a line for each difference."""

    async def look(database: Database, _: PaymentsSettings) -> list[str]:
        async with database.session() as session:
            return await verify.differences(session)

    if found := _do(data, look):
        raise CannotStart("\n".join(found))
    print("The ledger balances, and agrees with payments, refunds and payouts.")


def reconcile(data: Path) -> None:
    """Ask providers once about what hangs, and print what waits for a person."""

    async def ask(database: Database, settings: PaymentsSettings) -> tuple[int, int, list[dict[str, Any]]]:
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

    closed, manual, queue = _do(data, ask)
    print(f"{closed} payments and refunds have an outcome now; {manual} refunds wait for a person.")
    for payment in queue:
        print(f"{payment['id']}  order {payment['order_number']}  {payment['attention']}")


def _do(data: Path, work: Work) -> Any:
    """The work's result, on payments' database. Raises `CannotStart` with what stood against it."""
    configure_logging(os.environ.get("LOG_LEVEL", "WARNING"), os.environ.get("LOG_FORMAT", "console"))
    settings = _settings(data)

    async def run() -> Any:
        database = Database(settings)
        # Whoever runs finds by its polls what is written here.
        wakes = ("wake_relay", "wake_timers", "wake_refunds")
        database.session_info |= {"service": "payments", **dict.fromkeys(wakes, lambda: None)}
        try:
            return await work(database, settings)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except MarketplaceError as error:
        raise CannotStart(error.detail) from None


def _settings(data: Path) -> PaymentsSettings:
    """Of payments at DATABASE_URL, as in its container; else of the one of the `marketplace run` on `data`."""
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return cast(PaymentsSettings, service_settings("payments"))
    own = {"database_url": embedded_databases(data)["payments"], **embedded_secrets(data)}
    env = os.environ.get("ENV", "development")
    return cast(PaymentsSettings, service_settings("payments", env=env, **own))
