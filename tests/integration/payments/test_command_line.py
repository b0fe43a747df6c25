"""What an operator does beside the running services: `marketplace ledger verify`, `marketplace payments reconcile`."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from marketplace.system import System
from services.payments.models import Payment
from services.payments.providers import OutcomeUnknown
from services.payments.providers.fake import FakeGateway
from services.payments.service import captures
from tests.integration.conftest import SETTINGS
from tests.integration.payments.books import database, manual_refund, shown
from tests.support.people import Person, expect

Marketplace = Callable[..., Awaitable["subprocess.CompletedProcess[str]"]]


@pytest.fixture
def marketplace(databases: dict[str, str]) -> Marketplace:
    """Run the program as in payments' container."""
    own = {"ENV": "development", "DATABASE_URL": databases["payments"], "RECONCILE_AFTER": "0s"}
    own |= {"INTERNAL_SECRET": SETTINGS["internal_secret"]}

    async def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "marketplace", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env={**os.environ, **own}, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.fixture
async def payment(client: Person, worker: Person) -> dict[str, Any]:
    order = await client.order((await worker.offer())["id"])
    paid: dict[str, Any] = expect(await client.pay(order["id"]), 201)
    return paid


@pytest.fixture
async def forged(system: System, payment: dict[str, Any]) -> AsyncIterator[str]:
    """A payment that says of itself what neither its refunds nor the books say."""

    async def say(refunded: int) -> None:
        async with database(system).session() as session:
            it = update(Payment).where(col(Payment.id) == UUID(payment["id"]))
            await session.exec(it.values(refunded=refunded))

    await say(10)
    yield payment["id"]
    await say(0)


async def test_the_ledger_is_proved(payment: dict[str, Any], marketplace: Marketplace) -> None:
    proved = await marketplace("ledger", "verify")

    assert (proved.returncode, proved.stderr) == (0, "")
    assert "balances" in proved.stdout


async def test_what_differs_is_listed(forged: str, marketplace: Marketplace) -> None:
    proved = await marketplace("ledger", "verify")

    assert proved.returncode == 1
    assert f"payment {forged} says that 10.00 went back; its refunds say 0, the books 0" in proved.stderr


async def test_what_hangs_is_asked_about_and_what_waits_for_a_person_is_listed(
    system: System, client: Person, payment: dict[str, Any], marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: Any) -> None:
        raise OutcomeUnknown

    monkeypatch.setattr(FakeGateway, "find", unknown)
    service = expect(await client.get(f"/api/orders/{payment['order_id']}/"), 200)["service_id"]
    hanging = expect(await client.pay((await client.order(service))["id"], number="4000000000000119"), 201)
    assert hanging["status"] == "pending"
    await manual_refund(system, payment["id"])
    async with database(system).session() as session:
        await captures.need_a_person(session, UUID(payment["id"]), "told-after-the-end")

    done = await marketplace("payments", "reconcile")

    assert (done.returncode, done.stderr) == (0, "")
    assert (await shown(client, hanging["id"]))["status"] == "completed"
    assert re.search(r"\b[1-9][0-9]* refunds wait for a person", done.stdout)
    assert f"{payment['id']}  order {payment['order_number']}  told-after-the-end" in done.stdout
