"""Everything that is held of a person: given out whole, or forgotten everywhere."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from marketplace.system import System
from services.accounts.models import User
from shared.http.internal import InternalClient, OwnerAway
from tests.support.events import tables_with
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

PARTS = {
    "exported_at",
    "user",
    "worker_profile",
    "sessions",
    "services",
    "orders",
    "payments",
    "payouts",
    "notifications",
    "switched_off",
}


async def erase(person: Person) -> httpx.Response:
    return await person.http.delete("/api/users/me/", headers=person.headers)


async def finished_order(client: Person, worker: Person) -> dict[str, Any]:
    """An order that was accepted, paid and done."""
    order = await client.order((await worker.offer())["id"], description="The tap drips", contact_phone="+998901234567")
    assert (await worker.accept(order["id"])).status_code == 200
    assert (await client.pay(order["id"])).status_code == 201

    async def paid() -> bool:
        return bool(expect(await client.get(f"/api/orders/{order['id']}/"), 200)["payment_status"] == "paid")

    await eventually(paid)
    for status in ("in_progress", "completed"):
        assert (await worker.move(order["id"], status)).status_code == 200
    return order


async def test_an_export_holds_everything_of_all_services(client: Person, worker: Person) -> None:
    order = await finished_order(client, worker)

    async def told() -> bool:
        return len(await client.notifications()) >= 4

    await eventually(told)
    answer = await client.get("/api/users/me/export/")

    mine = expect(answer, 200)
    assert mine.keys() == PARTS
    assert mine["user"]["email"] == client.login["user"]["email"]
    assert [(o["id"], o["contact_phone"], len(o["history"])) for o in mine["orders"]] == [
        (order["id"], "+998901234567", 4)
    ]
    assert [payment["order_id"] for payment in mine["payments"]] == [order["id"]]
    assert len(mine["notifications"]) >= 4
    assert len(mine["sessions"]) == 1
    assert mine["worker_profile"] is None
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"


async def test_an_export_of_a_worker_holds_what_they_offer_and_nothing_of_their_clients(
    client: Person, worker: Person
) -> None:
    order = await finished_order(client, worker)

    async def there() -> bool:
        return bool(expect(await worker.get("/api/users/me/export/"), 200)["payments"])

    await eventually(there)
    answer = await worker.get("/api/users/me/export/")

    theirs = expect(answer, 200)
    assert [service["id"] for service in theirs["services"]] == [order["service_id"]]
    assert theirs["worker_profile"]["full_name"] == worker.login["user"]["full_name"]
    for private in (client.login["user"]["email"], "+998901234567", "1 Navoi St", "The tap drips"):
        assert private not in answer.text


@pytest.mark.parametrize("hash_or_key", ["argon2", "password_hash", "email_key", "hash"])
async def test_an_export_holds_no_credential(client: Person, hash_or_key: str) -> None:
    assert hash_or_key not in (await client.get("/api/users/me/export/")).text


async def test_half_an_export_is_none(system: System, client: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    find = InternalClient.find

    async def without_payments(self: Any, target: str, path: str, **more: Any) -> Any:
        if target == "payments":
            raise OwnerAway("away")
        return await find(self, target, path, **more)

    monkeypatch.setattr(InternalClient, "find", without_payments)

    assert (await client.get("/api/users/me/export/")).status_code == 503
    assert (await erase(client)).status_code == 503
    assert (await client.get("/api/users/me/")).status_code == 200


async def test_an_account_with_an_open_order_is_not_erased(client: Person, worker: Person) -> None:
    order = await client.order((await worker.offer())["id"])

    for person in (client, worker):
        problem = expect(await erase(person), 409)
        assert (problem["type"], problem["open_orders"]) == ("open-orders", 1)

    await client.move(order["id"], "cancelled")
    assert (await erase(client)).status_code == 204


async def test_an_erased_person_is_forgotten_everywhere(system: System, http: httpx.AsyncClient) -> None:
    mark = uuid4().hex
    person = await register(http, "client", email=f"{mark}@example.com", full_name=f"Name {mark}")
    worker = await register(http, "worker")
    service = await worker.offer()
    order = await person.order(service["id"], description=f"Tap {mark}", address=f"Street {mark}")
    expect(await person.move(order["id"], "cancelled"), 200)
    await http.post("/api/auth/login/", json={"email": f"{mark}@example.com", "password": f"wrong {mark}"})

    assert (await erase(person)).status_code == 204

    async def forgotten() -> bool:
        found = [await tables_with(system, service, mark) for service in system.urls]
        return not any(found)

    await eventually(forgotten)
    assert mark not in str(expect(await worker.get(f"/api/orders/{order['id']}/"), 200))


async def test_an_erased_worker_leaves_no_profile_and_no_offers(http: httpx.AsyncClient, worker: Person) -> None:
    service = await worker.offer(title="To be forgotten")

    assert (await erase(worker)).status_code == 204

    assert (await http.get(f"/api/workers/{worker.id}/")).status_code == 404

    async def gone() -> bool:
        return (await http.get(f"/api/services/{service['id']}/")).status_code == 404

    await eventually(gone)


async def test_an_erased_account_opens_nothing_and_its_address_is_free(http: httpx.AsyncClient) -> None:
    email = f"{uuid4()}@example.com"
    person = await register(http, "client", email=email)

    assert (await erase(person)).status_code == 204

    async def out() -> bool:
        paths = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")
        return [(await person.get(path)).status_code for path in paths] == [401] * 4

    await eventually(out)
    login = {"email": email, "password": "correct horse"}
    assert (await http.post("/api/auth/login/", json=login)).status_code == 401
    assert (await http.post("/api/auth/refresh/", json={"refresh": person.login["refresh"]})).status_code == 401
    anew = await register(http, "client", email=email)
    assert anew.id != person.id


async def test_what_stays_of_an_erased_account_is_a_pseudonym(system: System, client: Person) -> None:
    await erase(client)

    database = system.apps["accounts"].state.platform.database
    async with database.session() as session:
        (row,) = await session.exec(select(User).where(User.id == UUID(client.id)))

    assert (row.email, row.full_name, row.phone, row.is_active) == ("", "", None, False)
    assert row.erased_at


async def test_an_admin_does_not_find_who_is_erased(client: Person, admin: Person) -> None:
    await erase(client)

    assert (await admin.get(f"/api/users/{client.id}/")).status_code == 404
