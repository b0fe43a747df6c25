"""No list of orders reads all of them, nor sorts: what PostgreSQL intends to do for each, by 20,000 orders."""

from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

import psycopg
import pytest

from bench.orders import MINE, cursor_at_depth, fill, people
from services.orders.domain import PaymentStatus, Status
from services.orders.repo import copies
from services.orders.repo import orders as repo
from services.orders.service import orders as service
from shared.db import Database
from shared.db.base import utcnow
from shared.http.pagination import Cursor, PageRequest
from shared.ids import new_id
from tests.support.plans import explained, filled_database, nodes, opened, read_whole
from tests.support.postgres import PostgresServer
from tests.unit.factories import user

ROWS = 20_000
PEOPLE = people(ROWS)
CALLERS = {
    "client": user("client", PEOPLE.clients[-1]),
    "worker": user("worker", PEOPLE.workers[-1]),
    "company, client": user("client", PEOPLE.clients[0]),
    "company, worker": user("worker", PEOPLE.workers[0]),
    "admin": user("admin", PEOPLE.admin),
}
FEW = 100
"""Rows that may be sorted: where that many are left, they are found by what they are, and not by a walk."""
NO_QUEUE = {"attention": False, "disputed": False}
LARGE = {"orders", "order_history", "people"}


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[str]:
    with filled_database(postgres, "orders", fill, ROWS) as url:
        yield url


@pytest.fixture
async def database(filled: str) -> AsyncIterator[Database]:
    async with opened("orders", filled) as database:
        yield database


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("deep", [False, True])
async def test_a_list_is_walked_along_an_index_whatever_it_is_narrowed_to(
    database: Database, filled: str, monkeypatch: pytest.MonkeyPatch, caller: str, descending: bool, deep: bool
) -> None:
    by, moment = CALLERS[caller], utcnow()
    cursor = None
    if deep:
        mine, whose = (f"{MINE[by.role]} = %s", [by.id]) if by.role in MINE else ("true", [])
        with psycopg.connect(filled) as connection:
            cursor = Cursor.decode(cursor_at_depth(connection, mine, *whose))
    plans = explained(monkeypatch, "orders")
    for status, paid, begin, end in product((None, *Status), (None, *PaymentStatus), (None, moment), (None, moment)):
        asked: dict[str, Any] = {"status": status, "payment_status": paid, "begin": begin, "end": end}
        plans.clear()

        async with database.session() as session:
            page = PageRequest(20, cursor, "/", {})
            await repo.orders(session, by, page, descending=descending, **NO_QUEUE, **asked)

        assert read_whole(plans).isdisjoint(LARGE), asked
        assert [node for node in nodes(plans) if "Sort" in node["Node Type"] and node["Plan Rows"] > FEW] == [], asked


@pytest.mark.parametrize(
    ("queue", "indexes"),
    [("attention", {"ix_orders_under_way", "ix_people_inactive"}), ("disputed", {"pk_orders"})],
)
async def test_the_queues_of_admins_are_found_by_the_few_that_are_in_them(
    database: Database, monkeypatch: pytest.MonkeyPatch, queue: str, indexes: set[str]
) -> None:
    plans = explained(monkeypatch, "orders")
    none: dict[str, Any] = dict.fromkeys(("status", "payment_status", "begin", "end"))

    async with database.session() as session:
        page = PageRequest(20, None, "/", {})
        await repo.orders(session, CALLERS["admin"], page, descending=True, **NO_QUEUE | {queue: True}, **none)

    assert read_whole(plans).isdisjoint(LARGE)
    assert {node.get("Index Name") for node in nodes(plans)} >= indexes


async def test_one_order_and_its_history_are_found_by_an_index(
    database: Database, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(filled) as connection:
        newest = connection.execute("SELECT id FROM orders ORDER BY id DESC LIMIT 1").fetchone()
    assert newest
    plans = explained(monkeypatch, "orders", "order_history")

    async with database.session() as session:
        found, history, _ = await service.whole_order(session, newest[0], CALLERS["admin"])

    assert found.id == newest[0]
    assert history
    assert read_whole(plans).isdisjoint(LARGE)


async def test_what_a_new_order_is_made_of_is_found_by_an_index(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer: dict[str, Any] = {
        "id": new_id(),
        "worker_id": PEOPLE.workers[0],
        "title": "Tap",
        "price": 1,
        "currency": "UZS",
    }
    async with database.session() as session:
        await copies.keep_offer(session, offer | {"status": "active", "version": 1})
    plans = explained(monkeypatch, "people")

    async with database.session() as session:
        terms = await copies.hold_terms(session, service_id=offer["id"], client_id=PEOPLE.clients[0])

    assert terms
    assert terms.client
    assert terms.owner
    assert (terms.client.id, terms.owner.id) == (PEOPLE.clients[0], PEOPLE.workers[0])
    assert plans
    assert read_whole(plans).isdisjoint(LARGE)
