"""Every list of orders is walked along an index: no page sorts, however deep it lies."""

from typing import Any

import pytest
from sqlalchemy import text

from marketplace.system import System
from services.orders.domain import PaymentStatus, Status
from services.orders.repo import orders as repo
from shared.db.base import utcnow
from shared.http.pagination import Cursor, PageRequest
from shared.ids import new_id
from tests.support.people import Person, expect
from tests.support.statements import sent
from tests.unit import factories

NO_FILTER: dict[str, Any] = dict.fromkeys(("status", "payment_status", "begin", "end")) | {
    "attention": False,
    "disputed": False,
}


MANY_ORDERS = """
    INSERT INTO orders (id, number, service_id, service_title, client_id, owner_id, worker_id, status, payment_status,
                        price, quantity, total, currency, description, address, version, created_at, updated_at)
    SELECT gen_random_uuid(), 'many-' || n, id, '', id, id, id,
           CASE WHEN n % 100 = 0 THEN 'assigned' WHEN n % 100 = 1 THEN 'completed' ELSE 'cancelled' END,
           CASE WHEN n % 100 = 0 THEN 'paid' ELSE 'unpaid' END,
           1, 1, 1, 'UZS', '', '', 1, now() - n * interval '1 hour', now()
    FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, 10000) AS n) AS many
"""


@pytest.fixture
def plan_of(system: System) -> Any:
    """How PostgreSQL finds a page of the list among many orders, which are gone afterwards."""
    database = system.apps["orders"].state.platform.database

    async def plan(role: str, **filters: Any) -> str:
        page = PageRequest(20, Cursor([utcnow().isoformat(), str(new_id())]), "/", {})
        async with database.session() as session:
            await session.exec(text(MANY_ORDERS))
            await session.exec(text("ANALYZE orders"))
            user = factories.user(role, new_id())
            with sent() as statements:
                await repo.orders(session, user, page, descending=True, **{**NO_FILTER, **filters})
            statement, parameters = next(each for each in statements if each[0].startswith("SELECT orders."))
            connection = await session.connection()
            rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            found = "\n".join(line for (line,) in rows)
            await session.rollback()
            return found

    return plan


@pytest.mark.parametrize(
    ("role", "filters", "index"),
    [
        ("client", {}, "ix_orders_client"),
        ("worker", {}, "ix_orders_hands"),
        ("admin", {}, "ix_orders_created"),
        ("admin", {"begin": utcnow()}, "ix_orders_created"),
        ("admin", {"status": Status.COMPLETED}, "ix_orders_status"),
        ("admin", {"payment_status": PaymentStatus.PAID}, "ix_orders_payment_status"),
        ("admin", {"attention": True}, "ix_orders_under_way"),
    ],
)
async def test_a_page_is_a_walk_along_an_index(plan_of: Any, role: str, filters: dict[str, Any], index: str) -> None:
    plan = await plan_of(role, **filters)

    assert index in plan
    assert "Sort" not in plan


async def test_filters_and_pages_go_together(client: Person, worker: Person) -> None:
    service = await worker.offer()
    orders = [await client.order(service["id"]) for _ in range(5)]
    expect(await worker.accept(orders[1]["id"]), 200)
    pending = [order["id"] for order in orders if order is not orders[1]]

    for person in (client, worker):
        page = expect(await person.get("/api/orders/", status="pending", ordering="created_at", limit=3), 200)
        rest = expect(await person.get(page["next"]), 200)
        assert [order["id"] for order in (*page["results"], *rest["results"])] == pending
        assert rest["next"] is None

    window = {"from": orders[1]["created_at"], "to": orders[3]["created_at"]}
    found = expect(await client.get("/api/orders/", **window, payment_status="unpaid"), 200)["results"]
    assert [order["id"] for order in found] == [orders[2]["id"], orders[1]["id"]]
