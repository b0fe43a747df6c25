"""Copies of orders are kept many at once, as new as each was told of."""

from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import pytest

from marketplace.registry import service_settings
from services.payments.models import OrderCopy
from services.payments.service.orders import keep_orders
from shared.contracts.orders import OrderState
from shared.db import Database
from shared.ids import new_id
from tests.integration.conftest import SETTINGS


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    ours = Database(service_settings("payments", **SETTINGS, database_url=databases["payments"]))
    ours.session_info["wake_timers_if_due"] = lambda: None
    yield ours
    await ours.close()


def told(order_id: UUID, version: int, status: str) -> OrderState:
    return OrderState(
        id=order_id,
        number=str(order_id),
        service_id=order_id,
        service_title="Leaking tap repair",
        client_id=order_id,
        owner_id=order_id,
        worker_id=None if status == "pending" else order_id,
        status=status,
        payment_status="unpaid",
        total=Decimal("150000.00"),
        currency="UZS",
        version=version,
    )


async def kept(database: Database, order_id: UUID) -> tuple[int, str, bool]:
    async with database.session() as session:
        copy = await session.get_one(OrderCopy, order_id)
        return copy.version, copy.status, copy.completed_at is not None


async def test_of_one_order_the_newest_of_a_batch_counts_in_whatever_order(database: Database) -> None:
    first, second = new_id(), new_id()
    batch = [
        told(first, 3, "completed"),
        told(second, 1, "pending"),
        told(first, 1, "pending"),
        told(first, 2, "assigned"),
    ]
    async with database.session() as session:
        await keep_orders(session, batch)
    assert await kept(database, first) == (3, "completed", True)
    assert await kept(database, second) == (1, "pending", False)


async def test_what_is_older_than_the_copy_changes_nothing(database: Database) -> None:
    order_id = new_id()
    async with database.session() as session:
        await keep_orders(session, [told(order_id, 4, "completed")])
    async with database.session() as session:
        await keep_orders(session, [told(order_id, 2, "assigned"), told(order_id, 3, "in_progress")])
    assert await kept(database, order_id) == (4, "completed", True)


async def test_who_is_to_be_paid_is_looked_for_once_an_order_is_completed(database: Database) -> None:
    woken: list[str] = []
    database.session_info["wake_timers_if_due"] = lambda: woken.append("timers")
    order_id = new_id()
    for version, status in ((1, "pending"), (2, "completed"), (2, "completed")):
        async with database.session() as session:
            await keep_orders(session, [told(order_id, version, status)])
    assert woken == ["timers"]
