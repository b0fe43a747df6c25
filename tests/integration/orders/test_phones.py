"""Client and worker can call each other while there is work between them."""

from typing import Any

import httpx
import pytest

from marketplace.system import System
from shared.http.internal import OwnerAway
from tests.support.people import Person, expect, register

PHONE = "+998901112233"


@pytest.fixture
async def worker(http: httpx.AsyncClient) -> Person:
    return await register(http, "worker", phone=PHONE)


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer())["id"])


async def phone_seen(person: Person, order: dict[str, Any]) -> str | None:
    seen: str | None = expect(await person.get(f"/api/orders/{order['id']}/"), 200)["worker_phone"]
    return seen


async def test_the_client_sees_the_workers_phone_while_the_worker_is_at_it(
    client: Person, worker: Person, order: dict[str, Any]
) -> None:
    seen = [await phone_seen(client, order)]
    expect(await worker.accept(order["id"]), 200)
    seen.append(await phone_seen(client, order))
    for status in ("in_progress", "completed"):
        expect(await worker.move(order["id"], status), 200)
        seen.append(await phone_seen(client, order))

    assert seen == [None, PHONE, PHONE, None]


async def test_the_workers_phone_is_for_that_client_alone(
    client: Person, worker: Person, admin: Person, order: dict[str, Any]
) -> None:
    expect(await worker.accept(order["id"]), 200)

    assert [await phone_seen(person, order) for person in (worker, admin)] == [None, None]
    assert PHONE not in (await client.get("/api/orders/")).text


async def test_an_order_is_read_although_accounts_is_away(
    system: System, client: Person, worker: Person, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(await worker.accept(order["id"]), 200)
    internal = system.apps["orders"].state.platform.internal
    monkeypatch.setattr(internal, "_urls", {**internal._urls, "accounts": "http://127.0.0.1:9"})

    assert await phone_seen(client, order) is None


async def test_phones_are_told_to_orders_alone(system: System, worker: Person) -> None:
    path = f"/internal/users/{worker.id}/phone/"
    ask = {name: system.apps[name].state.platform.internal for name in ("orders", "payments")}

    assert await ask["orders"].find("accounts", path) == {"phone": PHONE}
    with pytest.raises(OwnerAway):
        await ask["payments"].find("accounts", path)
