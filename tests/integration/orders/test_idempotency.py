"""An order that is sent again under the same key is made once, and answered as the first time."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import text

from marketplace.system import System
from shared.db import Session, release, saved_answers
from shared.db.saved_answers import Call
from shared.errors import Unavailable
from shared.http import idempotency
from shared.http.idempotency import Idempotency
from shared.ids import new_id
from shared.messaging.housekeeping import sweep
from tests.support.events import erased, events_of, tables_with, told, updated
from tests.support.people import Person, expect, register

PATH = "/api/orders/create/"


@pytest.fixture
async def body(worker: Person) -> dict[str, Any]:
    return {"service_id": (await worker.offer())["id"], "address": "1 Navoi St"}


@pytest.fixture
def key() -> str:
    return str(uuid4())


async def orders_of(person: Person) -> list[str]:
    return [order["id"] for order in expect(await person.get("/api/orders/"), 200)["results"]]


async def test_a_repeat_is_given_the_first_answer_and_makes_nothing(
    system: System, client: Person, worker: Person, body: dict[str, Any], key: str
) -> None:
    first = await client.post(PATH, body, key)
    order = expect(first, 201)
    expect(await worker.accept(order["id"]), 200)

    again = await client.post(PATH, body, key)

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert await orders_of(client) == [order["id"]]
    assert len(await events_of(system, "orders", "order.created", order["id"])) == 1


async def test_a_body_is_the_same_however_it_is_written(client: Person, body: dict[str, Any], key: str) -> None:
    first = expect(await client.post(PATH, {**body, "contact_phone": "+998901234567"}, key), 201)

    same = {"quantity": 1, "contact_phone": "+998 90 123-45-67", **dict(reversed(body.items()))}
    again = expect(await client.post(PATH, same, key), 201)

    assert again == first


async def test_a_key_with_another_body_is_refused(client: Person, body: dict[str, Any], key: str) -> None:
    order = expect(await client.post(PATH, body, key), 201)

    problem = expect(await client.post(PATH, {**body, "quantity": 2}, key), 422)

    assert problem["type"] == "idempotency-key-reused"
    assert [error["field"] for error in problem["errors"]] == ["Idempotency-Key"]
    assert await orders_of(client) == [order["id"]]


async def test_a_key_is_its_users_own(client: Person, body: dict[str, Any], key: str) -> None:
    other = await register(client.http, "client")

    mine, theirs = expect(await client.post(PATH, body, key), 201), expect(await other.post(PATH, body, key), 201)

    assert mine["id"] != theirs["id"]
    assert theirs["client_id"] == other.id


async def test_without_a_key_a_repeat_is_another_order(client: Person, body: dict[str, Any]) -> None:
    answers = [await client.post(PATH, body) for _ in range(2)]

    assert sorted(await orders_of(client)) == sorted(expect(answer, 201)["id"] for answer in answers)
    assert not [answer for answer in answers if "idempotent-replayed" in answer.headers]


async def test_of_twenty_at_once_one_makes_the_order_and_all_are_given_its_answer(
    client: Person, body: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long a repeat waits is another test's matter: on a busy machine twenty calls take as long as that.
    monkeypatch.setattr(idempotency, "PATIENCE", timedelta(minutes=1))
    answers = await asyncio.gather(*(client.post(PATH, body, key) for _ in range(20)))

    assert len({expect(answer, 201)["id"] for answer in answers}) == 1
    assert len([answer for answer in answers if "idempotent-replayed" in answer.headers]) == 19
    assert len(await orders_of(client)) == 1


async def test_while_the_first_is_still_at_work_a_repeat_waits_and_is_then_told_to_come_back(
    system: System, client: Person, body: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE", timedelta(milliseconds=100))
    async with system.apps["orders"].state.platform.database.session() as session:
        assert await saved_answers.take_turn(session, Call(UUID(client.id), PATH, key))
        early = await client.post(PATH, body, key)

    assert expect(early, 409)["type"] == "in-progress"
    assert early.headers["retry-after"] == "1"
    assert await orders_of(client) == []
    assert (await client.post(PATH, body, key)).status_code == 201


async def test_a_refusal_is_not_kept(
    system: System, client: Person, worker: Person, body: dict[str, Any], key: str
) -> None:
    await told(system, updated(worker, 2, is_active=False), "orders")
    expect(await client.post(PATH, body, key), 409)
    await told(system, updated(worker, 3, is_active=True), "orders")

    answer = await client.post(PATH, body, key)

    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers


async def test_an_answer_that_was_lost_after_the_commit_is_given_to_the_repeat(
    system: System, client: Person, body: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Any) -> None:
        raise Unavailable("It ends between commit and answer.")

    with monkeypatch.context() as crashing:
        crashing.setitem(system.apps["orders"].state.platform.database.session_info, "hand_over", crash)
        assert (await client.post(PATH, body, key)).status_code == 503
    (made,) = await orders_of(client)

    again = await client.post(PATH, body, key)

    assert expect(again, 201)["id"] == made
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_lives_for_a_day(system: System, client: Person, body: dict[str, Any], key: str) -> None:
    database = system.apps["orders"].state.platform.database
    first = expect(await client.post(PATH, body, key), 201)

    async def age(time: str) -> None:
        async with database.session() as session:
            older = text("UPDATE idempotency_keys SET created_at = created_at - CAST(:time AS interval) WHERE key = :k")
            await session.exec(older.bindparams(time=time, k=key))

    await age("23 hours 59 minutes")
    assert expect(await client.post(PATH, body, key), 201)["id"] == first["id"]
    await age("1 minute")
    second = expect(await client.post(PATH, body, key), 201)
    assert second["id"] != first["id"]
    assert expect(await client.post(PATH, body, key), 201)["id"] == second["id"]

    await age("1 day")
    await sweep(database)
    assert "idempotency_keys" not in await tables_with(system, "orders", key)


@pytest.mark.parametrize("wrong", ["", "k" * 256, "kéy", "tab\tkey"])
async def test_a_key_is_up_to_255_printable_ascii_characters(
    http: httpx.AsyncClient, client: Person, body: dict[str, Any], wrong: str
) -> None:
    keyed = [(name.encode(), value.encode()) for name, value in client.headers.items()]
    answer = await http.post(PATH, json=body, headers=[*keyed, (b"Idempotency-Key", wrong.encode())])

    assert [error["field"] for error in expect(answer, 422)["errors"]] == ["Idempotency-Key"]
    assert (await client.post(PATH, body, "k ~" * 85)).status_code == 201


async def test_the_saved_answers_of_an_erased_user_are_forgotten(
    system: System, client: Person, body: dict[str, Any], key: str
) -> None:
    words = f"secret{uuid4().hex}"
    expect(await client.post(PATH, {**body, "address": words}, key), 201)
    assert await tables_with(system, "orders", words) == {"orders", "idempotency_keys"}

    await told(system, erased(client, 2), "orders")

    assert await tables_with(system, "orders", words) == set()
    assert "idempotency_keys" not in await tables_with(system, "orders", key)


class Sent(BaseModel):
    words: str = "once"


class Made(BaseModel):
    by: str


async def test_of_two_that_lost_their_turn_one_takes_effect(system: System, key: str) -> None:
    """An effect that asks another service gives its connection back meanwhile, and with it its turn."""
    database = system.apps["orders"].state.platform.database
    person = new_id()

    async def send(session: Session, effect: Any) -> Any:
        return await Idempotency("/", key).once(session, person, Sent(), effect, Made)

    async def note(session: Session, who: str) -> Made:
        noted = text("INSERT INTO revocations VALUES (:id, :person, 0, now())")
        await session.exec(noted.bindparams(id=new_id(), person=person))
        return Made(by=who)

    async with database.session() as slow:

        async def overtaken() -> Made:
            await release(slow)
            async with database.session() as quick:
                await send(quick, lambda: note(quick, "the second"))
            return await note(slow, "the first")

        answer = await send(slow, overtaken)

    assert answer.body == b'{"by":"the second"}'
    assert answer.headers["idempotent-replayed"] == "true"
    async with database.session() as session:
        wrote = text("SELECT count(*) FROM revocations WHERE user_id = :id").bindparams(id=person)
        assert (await session.exec(wrote)).one() == (1,)
