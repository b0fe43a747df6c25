"""The address that Payme calls: who may, what is no call, and that there is always an answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from marketplace.simulators.calls import PAYME_PATH, PaymeDesk
from marketplace.simulators.payme_play import new_id, now
from marketplace.simulators.sender import Request, Sender
from marketplace.system import System
from services.payments.repo.orders import lock_order
from services.payments.service import captures
from shared.http.internal import OwnerAway
from tests.integration.payments.books import assert_balanced, database
from tests.integration.payments.payme.playing import Order, Payme
from tests.support.events import settings_changed
from tests.support.people import Person
from tests.support.provider_bodies import PAYME_PARAMS, Values, payme_bodies, payme_headers

BODIES = 1000
AT_ONCE = 8


async def code(sender: Sender, request: Request) -> Any:
    [answer] = await sender.send(request)
    assert answer.status_code == 200
    return answer.json()["error"]["code"]


async def rows(system: System) -> dict[str, list[str]]:
    """Everything that payments has stored of money, as text."""
    tables = ("payments", "payme_transactions", "refunds", "ledger_entries", "orders", "outbox")
    async with database(system).session() as session:
        found = {table: await session.exec(text(f"SELECT t::text FROM {table} t ORDER BY 1")) for table in tables}
        return {table: [row for (row,) in rows.all()] for table, rows in found.items()}


def drawn(values: Values, count: int) -> list[Any]:
    """So many of them, the same ones each time."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


async def test_only_paymes_addresses_are_answered_where_they_are_named(system: System, payme: Payme) -> None:
    with settings_changed(system, "payments", payme_allowed_ips=("185.234.113.0/28",)):
        assert await payme.look(new_id()) == -32504
        spoofed = payme.desk.call("CheckTransaction", {"id": new_id()})
        spoofed = Request("POST", spoofed.url, {**spoofed.headers, "X-Forwarded-For": "185.234.113.1"}, spoofed.body)
        assert await code(payme.sender, spoofed) == -32504

    with settings_changed(system, "payments", payme_allowed_ips=("185.234.113.0/28", "127.0.0.0/8", "::1")):
        assert await payme.look(new_id()) == -31003


async def test_nobody_is_believed_without_the_key(system: System, client: Person, order: Order, payme: Payme) -> None:
    await payme.create(order, transaction_id := new_id())
    before = await rows(system)

    for wrong in ("", "not the key", payme.desk.key + " "):
        stranger = PaymeDesk(payme.desk.url, wrong)
        for method, params in {
            "PerformTransaction": {"id": transaction_id},
            "CancelTransaction": {"id": transaction_id, "reason": 1},
        }.items():
            assert await code(payme.sender, stranger.call(method, params)) == -32504

    assert await rows(system) == before


async def test_what_is_larger_than_any_call_is_not_read(payme: Payme) -> None:
    assert await code(payme.sender, payme.desk.raw(b"[" + b" " * 200_000 + b"]")) == -32700


async def test_the_fake_gateway_is_not_paid_by_payme(system: System, order: Order, payme: Payme) -> None:
    with settings_changed(system, "payments", payment_gateway="fake"):
        assert (await payme.check(order), await payme.create(order)) == (-32400, -32400)


async def test_an_unexpected_error_is_logged_and_answered_and_changes_nothing(
    system: System, order: Order, payme: Payme, monkeypatch: pytest.MonkeyPatch
) -> None:
    await payme.create(order, transaction_id := new_id())
    before = await rows(system)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    request = payme.desk.call("PerformTransaction", {"id": transaction_id})
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(captures, "_log", broken)  # the last thing that a capture does
        [answer] = await payme.sender.send(request)

    assert [log["call"] for log in logs if log["event"] == "payme_call_failed"] == ["PerformParams"]
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32400)
    assert answer.json()["id"] == json.loads(request.body)["id"]
    assert await rows(system) == before
    assert (await payme.perform(transaction_id))["state"] == 2


async def test_while_orders_is_away_an_order_that_payments_does_not_know_is_neither_there_nor_not(
    system: System, order: Order, payme: Payme, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise OwnerAway("not now")

    unknown = order | {"number": "2026-999999999"}
    with monkeypatch.context() as patch:
        patch.setattr(system.apps["payments"].state.platform.internal, "find", away)
        assert (await payme.check(unknown), await payme.create(unknown)) == (-32400, -32400)

    assert await payme.check(unknown) == -31050


async def test_who_has_to_wait_too_long_may_ask_again(system: System, order: Order, payme: Payme) -> None:
    await payme.create(order, transaction_id := new_id())

    async with database(system).session() as session:
        await lock_order(session, UUID(order["id"]))
        assert await payme.perform(transaction_id) == -32400

    assert (await payme.perform(transaction_id))["state"] == 2


@pytest.fixture
async def direct(system: System) -> AsyncIterator[httpx.AsyncClient]:
    """Past the gateway: a thousand calls are many."""
    async with httpx.AsyncClient(base_url=system.urls["payments"], timeout=30, trust_env=False) as http:
        yield http


async def sent(http: httpx.AsyncClient, calls: list[tuple[str | None, bytes]]) -> list[httpx.Response]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def send(authorization: str | None, body: bytes) -> httpx.Response:
        # What HTTP does not take for a header's value is no matter of ours.
        value = "".join(filter(str.isprintable, authorization or "")).strip()
        headers = {"Authorization": value.encode(errors="replace")} if value else {}
        async with turns:
            return await http.post(PAYME_PATH, content=body, headers=headers)

    return list(await asyncio.gather(*(send(*call) for call in calls)))


async def test_whatever_is_sent_is_answered_and_who_is_not_payme_changes_nothing(
    system: System, order: Order, payme: Payme, direct: httpx.AsyncClient
) -> None:
    await payme.create(order, transaction_id := new_id())
    right = payme.desk.raw(b"").headers["Authorization"]
    window = {"from": 0, "to": now()}
    params = {**PAYME_PARAMS, **payme.about(order), **window, "id": transaction_id, "time": now()}
    calls = drawn(st.tuples(payme_headers(right), payme_bodies(params)), BODIES)
    believed = [call for call in calls if call[0] == right]
    others = [call for call in calls if call[0] != right]
    assert min(len(believed), len(others)) > BODIES / 10

    before = await rows(system)
    refused = await sent(direct, others)
    assert await rows(system) == before
    answers = await sent(direct, believed)

    assert {answer.json()["error"]["code"] for answer in refused} == {-32504}
    assert await rows(system) != before
    for answer in (*refused, *answers):
        assert answer.status_code == 200
        said = answer.json()
        assert set(said) in ({"result", "id"}, {"error", "id"})
        assert said["id"] is None or type(said["id"]) in (int, str)
        if "error" in said:
            assert type(said["error"]["code"]) is int
            assert all(said["error"]["message"][language] for language in ("ru", "uz", "en"))
    codes = {answer.json()["error"]["code"] for answer in answers if "error" in answer.json()}
    assert codes >= {-32700, -32600, -32601}
    assert -32400 not in codes
    await assert_balanced(system)
