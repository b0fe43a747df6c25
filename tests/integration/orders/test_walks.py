"""Whatever anyone does to an order in whatever order, it is where the contract says; of many at once one wins."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, islice
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, text
from sqlmodel import col, select
from starlette.requests import Request

from marketplace.registry import service_app, service_settings
from services.orders.models import Offer
from services.orders.models import Person as Copy
from services.orders.service import timers
from shared.auth.users import User, current_user
from shared.db import Database
from shared.ids import new_id
from shared.messaging.local import LocalBus, LocalHub
from shared.messaging.tables import OutboxRow
from tests.integration.conftest import SETTINGS
from tests.integration.orders.model import Model, assert_legal
from tests.support.people import Person, expect
from tests.unit import factories

STATES = ("pending", "assigned", "in_progress", "completed", "cancelled")
PEOPLE = ("client", "owner", "other", "stranger", "admin")
RUNS, WALKERS, STEPS = 50, 4, 30
"""Of each run: four orders walk side by side, which is quicker and is nothing to them."""

Step = tuple[str, str, str | None]
"""What, who, and to which state or whom."""
Walk = tuple[list[Step], bool]
STEP = st.one_of(
    # Towards the end of an order's life more often than pure chance would go there.
    st.tuples(st.just("assign"), st.sampled_from(PEOPLE), st.sampled_from((None, None, "owner", "other"))),
    st.tuples(st.just("status"), st.sampled_from(("owner", "other", "admin")), st.sampled_from(STATES[:4])),
    st.tuples(st.just("status"), st.sampled_from(PEOPLE), st.sampled_from(STATES)),
)

WALK = st.tuples(st.lists(STEP, min_size=STEPS, max_size=STEPS), st.booleans())


@dataclass(frozen=True)
class Stage:
    """Orders alone, in this process and without its loops: six thousand calls leave no time for anything else."""

    database: Database
    people: dict[str, Person]
    service_id: str


@pytest.fixture(scope="module")
async def stage(databases: dict[str, str]) -> AsyncIterator[Stage]:
    roles = {"client": "client", "owner": "worker", "other": "worker", "stranger": "client", "admin": "admin"}
    users = {name: factories.user(role, new_id()) for name, role in roles.items()}
    app = service_app(
        "orders",
        service_settings("orders", **SETTINGS, database_url=databases["orders"]),
        LocalBus(LocalHub(), "orders"),
    )
    platform = app.state.platform

    async def named(request: Request) -> User:
        return users[request.headers["authorization"].removeprefix("Bearer ")]

    async def is_admin(target: str, path: str) -> dict[str, bool]:
        return {"acts": True}

    app.dependency_overrides[current_user] = named
    offer = Offer(
        id=new_id(),
        worker_id=users["owner"].id,
        title="Leaking tap repair",
        price=Decimal("150000.00"),
        currency="UZS",
        status="active",
        version=1,
    )
    async with platform.database.session() as session:
        session.add(offer)
        session.add_all(Copy(id=user.id, role=user.role, is_active=True, version=1) for user in users.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform.internal, "find", is_admin)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders", timeout=60) as http:
            people = {
                name: Person(http, {"user": {"id": str(user.id)}, "access": name}) for name, user in users.items()
            }
            yield Stage(platform.database, people, str(offer.id))
    async with platform.database.session() as session:  # or the next system in this database has it all to tell
        await session.exec(delete(OutboxRow).where(col(OutboxRow.envelope).contains(str(offer.id))))
    await platform.internal.close()
    await platform.database.close()


async def time_passes(stage: Stage, order_id: str) -> None:
    """Until the order waits for nobody any more. A walker at its side may have it in hand, and end it."""
    pending = text("UPDATE orders SET accept_by = now() WHERE id = :id AND status = 'pending' RETURNING 1")
    while True:
        async with stage.database.session() as session:
            if (await session.exec(pending.bindparams(id=UUID(order_id)))).first() is None:
                return
        await timers.expire_batch(stage.database)


async def count_events(stage: Stage, order_id: str) -> int:
    async with stage.database.session() as session:
        told = select(func.count()).where(col(OutboxRow.envelope).contains(order_id))
        return (await session.exec(told)).one()


async def taken(stage: Stage, order_id: str, step: Step) -> tuple[int, str | None]:
    """What is answered to a step; 503 has changed nothing, and is asked again as it says."""
    what, who, value = step
    said = {
        "assign": {"worker_id": stage.people[value].id if value in stage.people else None},
        "status": {"status": value},
    }
    while True:
        answer = await stage.people[who].post(f"/api/orders/{order_id}/{what}/", said[what])
        if answer.status_code != 503:
            return answer.status_code, answer.json().get("type")


def expected(model: Model, step: Step) -> tuple[int, str | None]:
    what, who, value = step
    return model.assign(who, value) if what == "assign" else model.change(who, value or "")


@settings(
    max_examples=RUNS,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(walks=st.lists(WALK, min_size=WALKERS, max_size=WALKERS))
@pytest.mark.timeout(600)
async def test_an_order_goes_where_the_contract_says_whoever_does_whatever(stage: Stage, walks: list[Walk]) -> None:
    await asyncio.gather(*(walk(stage, *each) for each in walks))


async def walk(stage: Stage, steps: list[Step], ends_by_time: bool) -> None:
    order = await stage.people["client"].order(stage.service_id)
    model = Model()
    for step in steps:
        assert await taken(stage, order["id"], step) == expected(model, step), (step, model)
    if ends_by_time:
        await time_passes(stage, order["id"])
        model.time_passes()

    after = expect(await stage.people["admin"].get(f"/api/orders/{order['id']}/"), 200)
    roles = {"owner": "worker", "other": "worker"}
    moves = [("pending", "client"), *((to, roles.get(who, who)) for to, who in model.path)]
    assert [(entry["to"], entry["actor_role"]) for entry in after["history"]] == moves
    assert after["worker_id"] == (stage.people[model.worker].id if model.worker else None)
    assert_legal(after["history"], after)


async def test_of_fifty_at_once_one_wins_each_step(stage: Stage) -> None:
    """Everyone tries to accept, assign, give back, begin and cancel the same five orders, several times over."""
    people = stage.people
    orders = [await people["client"].order(stage.service_id) for _ in range(5)]
    tries: list[Step] = [
        ("assign", "owner", None),
        ("assign", "admin", "other"),
        ("status", "client", "cancelled"),
        ("assign", "admin", "owner"),
        ("status", "owner", "pending"),
        ("status", "other", "in_progress"),
        ("assign", "owner", None),
        ("status", "owner", "cancelled"),
        ("status", "admin", "pending"),
        ("assign", "admin", None),
    ]
    wins = dict.fromkeys((order["id"] for order in orders), 0)
    for turn in range(6):
        # Each turn begins with another of them, and a cancel comes late: or all would be over with the first.
        hands = [*islice(cycle(tries), turn, turn + 10)]
        hands = [hand for hand in hands if turn > 3 or hand[2] != "cancelled"]
        at_once = [(order["id"], hand) for hand in hands for order in orders]
        answers = await asyncio.gather(*(taken(stage, order_id, hand) for order_id, hand in at_once))
        for (order_id, _), (status, _) in zip(at_once, answers, strict=True):
            assert status in (200, 404, 409)
            wins[order_id] += status == 200

    for order in orders:
        after = expect(await people["admin"].get(f"/api/orders/{order['id']}/"), 200)
        assert_legal(after["history"], after)
        assert wins[order["id"]] == len(after["history"]) - 1
        assert await count_events(stage, order["id"]) == len(after["history"])
    assert max(wins.values()) > 2
