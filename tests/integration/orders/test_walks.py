"""Whatever anyone does to an order in whatever order, it is where the contract says; of many at once one wins."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi.security import HTTPAuthorizationCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, text
from sqlmodel import col, select

from marketplace.registry import service_app, service_settings
from services.orders.models import Offer
from services.orders.models import Person as Copy
from services.orders.service import timers
from shared.auth.users import User
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

Json = dict[str, Any]
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
    http: httpx.AsyncClient
    users: dict[str, User]
    """By their token, which is their id."""
    people: dict[str, Person]
    service_id: str

    async def join(self, role: str) -> Person:
        """Someone that orders knows, logged in."""
        user = factories.user(role, new_id())
        self.users[str(user.id)] = user
        async with self.database.session() as session:
            session.add(Copy(id=user.id, role=role, is_active=True, version=1))
        return Person(self.http, {"user": {"id": str(user.id), "role": role}, "access": str(user.id)})

    async def offer(self, worker: Person) -> str:
        """A service of the worker; returns its id."""
        offer = Offer(
            id=new_id(),
            worker_id=UUID(worker.id),
            title="Leaking tap repair",
            price=Decimal("150000.00"),
            currency="UZS",
            status="active",
            version=1,
        )
        async with self.database.session() as session:
            session.add(offer)
        return str(offer.id)


@pytest.fixture(scope="module")
async def stage(databases: dict[str, str]) -> AsyncIterator[Stage]:
    roles = {"client": "client", "owner": "worker", "other": "worker", "stranger": "client", "admin": "admin"}
    users: dict[str, User] = {}
    app = service_app(
        "orders",
        service_settings("orders", **SETTINGS, database_url=databases["orders"]),
        LocalBus(LocalHub(), "orders"),
    )
    platform = app.state.platform

    async def named(_: object, bearer: HTTPAuthorizationCredentials) -> User:
        return users[bearer.credentials]

    async def is_admin(target: str, path: str) -> dict[str, bool]:
        return {"acts": True}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.auth.users.user_of", named)
        patch.setattr(platform.internal, "find", is_admin)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders", timeout=60) as http:
            empty = Stage(platform.database, http, users, {}, "")
            people = {name: await empty.join(role) for name, role in roles.items()}
            yield replace(empty, people=people, service_id=await empty.offer(people["owner"]))
    async with platform.database.session() as session:  # or the next system in this database has it all to tell
        await session.exec(delete(OutboxRow))
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


CLIENTS, WORKERS, ADMINS = 20, 25, 5


@pytest.fixture
async def fifty(stage: Stage) -> tuple[list[Person], list[Json]]:
    """Fifty people, and five orders of five clients with five workers, each with all that was told of it."""
    people = [
        *[await stage.join("client") for _ in range(CLIENTS)],
        *[await stage.join("worker") for _ in range(WORKERS)],
        *[await stage.join("admin") for _ in range(ADMINS)],
    ]
    workers = people[CLIENTS : CLIENTS + WORKERS]
    pairs = zip(people[:5], workers[:5], strict=True)
    return people, [await client.order(await stage.offer(worker)) for client, worker in pairs]


async def test_of_fifty_people_at_once_one_wins_each_step(stage: Stage, fifty: tuple[list[Person], list[Json]]) -> None:
    """All of them try to accept, assign, give back, begin and cancel the same five orders, several times over."""
    people, orders = fifty
    chance = random.Random(4)
    wins = dict.fromkeys((order["id"] for order in orders), 0)

    async def attempt(by: Person, order: Json, what: str, body: Json) -> None:
        answer = await by.post(f"/api/orders/{order['id']}/{what}/", body)
        assert answer.status_code in (200, 404, 409, 503), answer.text
        wins[order["id"]] += answer.status_code == 200

    for turn in range(4):
        tries = [(by, order, *a_step(people, by, turn, chance)) for by in people for order in orders]
        chance.shuffle(tries)
        await asyncio.gather(*(attempt(*each) for each in tries))

    for order in orders:
        after = expect(await people[-1].get(f"/api/orders/{order['id']}/"), 200)
        assert_legal(after["history"], after)
        assert wins[order["id"]] == len(after["history"]) - 1
        assert await count_events(stage, order["id"]) == len(after["history"])
    assert min(wins.values()) > 0


def a_step(people: list[Person], by: Person, turn: int, chance: random.Random) -> tuple[str, Json]:
    """Call and body. A cancel comes late, or all would be over with the first of them."""
    role, worker = by.login["user"]["role"], chance.choice(people[CLIENTS : CLIENTS + WORKERS])
    if role == "client":
        return "status", {"status": "cancelled" if turn > 1 else "in_progress"}
    if chance.random() < 0.5:
        return "assign", {"worker_id": worker.id} if role == "admin" else {}
    return "status", {"status": chance.choice(["pending", "in_progress", *(["cancelled"] if turn > 1 else [])])}
