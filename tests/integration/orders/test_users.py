"""What becomes of orders when their people are banned, come back, confirm their e-mail, or are erased."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from marketplace.system import System
from services.orders.models import Person as Copy
from services.orders.service import orders, users
from shared.auth.tokens import Claims
from shared.auth.users import User
from shared.ids import new_id
from tests.support.events import (
    asked,
    erased,
    events_of,
    heard,
    settings_changed,
    someone_waits_for_a_lock,
    tables_with,
    tell,
    told,
    updated,
)
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


@pytest.fixture
async def service(worker: Person) -> dict[str, Any]:
    return await worker.offer()


@pytest.fixture
async def order(client: Person, service: dict[str, Any]) -> dict[str, Any]:
    return await client.order(service["id"])


@pytest.fixture
def confirmed_only(system: System) -> Iterator[None]:
    with settings_changed(system, "orders", require_confirmed_email=True):
        yield


async def read(admin: Person, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = expect(await admin.get(f"/api/orders/{order['id']}/"), 200)
    return found


async def accounts_says(system: System, person: Person, change: str) -> None:
    """Change the user where accounts keeps them, without an event."""
    async with system.apps["accounts"].state.platform.database.session() as session:
        await session.exec(text(f"UPDATE users SET {change} WHERE id = :id").bindparams(id=UUID(person.id)))


async def copy_of(system: System, person: Person) -> Copy | None:
    async with system.apps["orders"].state.platform.database.session() as session:
        return await session.get(Copy, UUID(person.id))


async def changes_told(system: System, order: dict[str, Any]) -> list[dict[str, Any]]:
    envelopes = await events_of(system, "orders", "order.status_changed", order["id"])
    return [json.loads(envelope)["data"] for envelope in envelopes]


@pytest.mark.parametrize("banned", ["client", "worker"])
async def test_a_ban_cancels_what_is_pending_and_nothing_else(
    system: System, admin: Person, client: Person, worker: Person, service: dict[str, Any], banned: str
) -> None:
    pending, accepted, begun = [await client.order(service["id"]) for _ in range(3)]
    of_another = await (await register(client.http, "client")).order(
        (await (await register(client.http, "worker")).offer())["id"]
    )
    for order in (accepted, begun):
        expect(await worker.accept(order["id"]), 200)
    expect(await worker.move(begun["id"], "in_progress"), 200)

    await told(system, updated(client if banned == "client" else worker, 2, is_active=False), "orders")

    statuses = [(await read(admin, order))["status"] for order in (pending, accepted, begun, of_another)]
    assert statuses == ["cancelled", "assigned", "in_progress", "pending"]
    last = (await read(admin, pending))["history"][-1]
    note = f"The {banned}'s account is no longer active."
    assert (last["from"], last["to"], last["actor_id"], last["actor_role"], last["note"]) == (
        *("pending", "cancelled", None, "system"),
        note,
    )
    (change,) = await changes_told(system, pending)
    assert (change["by"], change["note"]) == ({"id": None, "role": "system"}, note)
    assert (change["order"]["status"], change["order"]["version"]) == ("cancelled", 2)


async def test_a_ban_cancels_all_that_is_pending_however_much_it_is(
    system: System, admin: Person, client: Person, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "BATCH", 2)
    pending = [await client.order(service["id"]) for _ in range(5)]

    await told(system, updated(client, 2, is_active=False), "orders")

    assert [(await read(admin, order))["status"] for order in pending] == ["cancelled"] * 5


async def test_a_ban_that_is_told_again_changes_nothing(
    system: System, admin: Person, client: Person, order: dict[str, Any]
) -> None:
    await told(system, updated(client, 2, is_active=False), "orders")
    once = await read(admin, order)

    await told(system, updated(client, 2, is_active=False), "orders")
    await told(system, updated(client, 3, is_active=False), "orders")

    assert await read(admin, order) == once
    assert len(await changes_told(system, order)) == 1


async def test_a_ban_that_comes_after_its_end_was_told_does_nothing(
    system: System, admin: Person, client: Person, order: dict[str, Any]
) -> None:
    await told(system, updated(client, 3, is_active=True), "orders")

    await told(system, updated(client, 2, is_active=False), "orders")

    assert (await read(admin, order))["status"] == "pending"


async def test_an_account_that_is_erased_does_not_come_back(system: System, client: Person) -> None:
    await told(system, erased(client, 5), "orders")

    await told(system, updated(client, 4, is_confirmed=True), "orders")

    copy = await copy_of(system, client)
    assert copy is not None
    assert (copy.role, copy.is_active, copy.is_confirmed, copy.version) == (None, False, False, 5)


@pytest.mark.parametrize("gone", ["client", "worker"])
@pytest.mark.parametrize("how", ["banned", "erased"])
async def test_an_admin_finds_the_orders_under_way_that_lost_someone(
    system: System, admin: Person, client: Person, worker: Person, service: dict[str, Any], gone: str, how: str
) -> None:
    pending, accepted, begun, completed = [await client.order(service["id"]) for _ in range(4)]
    for order in (accepted, begun, completed):
        expect(await worker.accept(order["id"]), 200)
    for order in (begun, completed):
        expect(await worker.move(order["id"], "in_progress"), 200)
    expect(await worker.move(completed["id"], "completed"), 200)

    async def listed() -> list[str]:
        ours = {order["id"] for order in (pending, accepted, begun, completed)}
        found = expect(await admin.get("/api/orders/", attention="true", limit=100), 200)["results"]
        return [order["id"] for order in found if order["id"] in ours]

    assert await listed() == []
    person = client if gone == "client" else worker
    await told(system, erased(person, 2) if how == "erased" else updated(person, 2, is_active=False), "orders")

    assert await listed() == [begun["id"], accepted["id"]]


async def test_what_needs_attention_is_for_admins(client: Person, worker: Person) -> None:
    for person in (client, worker):
        assert (await person.get("/api/orders/", attention="true")).status_code == 403
        assert (await person.get("/api/orders/", attention="false")).status_code == 200


async def test_a_service_of_a_banned_worker_can_not_be_ordered_until_they_are_back(
    system: System, client: Person, worker: Person, service: dict[str, Any]
) -> None:
    await told(system, updated(worker, 2, is_active=False), "orders")

    refused = await client.try_order(service["id"])
    await told(system, updated(worker, 3, is_active=True), "orders")

    assert expect(refused, 409)["type"] == "service-not-available"
    assert (await client.order(service["id"]))["status"] == "pending"


async def test_a_worker_who_is_back_can_be_ordered_from_before_orders_has_heard_of_it(
    system: System, client: Person, worker: Person, service: dict[str, Any]
) -> None:
    await told(system, updated(worker, 2, is_active=False), "orders")
    await accounts_says(system, worker, "version = 3")

    assert (await client.order(service["id"]))["status"] == "pending"


@pytest.mark.parametrize("how", ["banned", "erased"])
async def test_who_is_banned_or_erased_orders_nothing_although_their_token_still_holds(
    system: System, client: Person, service: dict[str, Any], how: str
) -> None:
    await told(system, erased(client, 2) if how == "erased" else updated(client, 2, is_active=False), "orders")

    assert expect(await client.try_order(service["id"]), 401)["type"] == "invalid-token"


@pytest.mark.usefixtures("confirmed_only")
async def test_where_it_is_required_ordering_waits_for_a_confirmed_e_mail(
    system: System, client: Person, service: dict[str, Any]
) -> None:
    refused = await client.try_order(service["id"])
    await told(system, updated(client, 2, is_confirmed=True), "orders")

    assert expect(refused, 409)["type"] == "email-not-confirmed"
    assert (await client.order(service["id"]))["status"] == "pending"


@pytest.mark.usefixtures("confirmed_only")
async def test_an_e_mail_that_was_just_confirmed_counts_before_orders_has_heard_of_it(
    system: System, client: Person, service: dict[str, Any]
) -> None:
    await accounts_says(system, client, "version = 2, email_confirmed_at = now()")

    assert (await client.order(service["id"]))["status"] == "pending"


async def test_of_an_erased_client_no_word_is_left_but_what_was_agreed(
    system: System, admin: Person, client: Person, worker: Person, service: dict[str, Any]
) -> None:
    words, phone = f"secret{uuid4().hex}", f"+99890{uuid4().int % 10**7:07}"
    private = {"address": words, "description": words, "contact_phone": phone}
    done, pending = [await client.order(service["id"], **private) for _ in range(2)]
    expect(await client.post(f"/api/orders/{done['id']}/status/", {"status": "cancelled", "note": words}), 200)
    assert await tables_with(system, "orders", words) == {"orders", "order_history"}
    assert await tables_with(system, "orders", phone) == {"orders"}

    await told(system, erased(client, 2), "orders")

    assert await tables_with(system, "orders", words) == set()
    assert await tables_with(system, "orders", phone) == set()
    after = await read(admin, pending)
    assert (after["status"], after["history"][-1]["actor_role"]) == ("cancelled", "system")
    agreed = ("id", "number", "service_title", "client_id", "owner_id", "price", "total", "created_at")
    assert {name: after[name] for name in agreed} == {name: pending[name] for name in agreed}
    assert len(await changes_told(system, pending)) == 1


async def test_an_erasure_leaves_the_words_of_others(
    system: System, admin: Person, client: Person, worker: Person, order: dict[str, Any]
) -> None:
    expect(await worker.post(f"/api/orders/{order['id']}/status/", {"status": "cancelled", "note": "Too far."}), 200)

    await told(system, erased(client, 2), "orders")
    assert (await read(admin, order))["history"][-1]["note"] == "Too far."

    await told(system, erased(worker, 2), "orders")
    assert (await read(admin, order))["history"][-1]["note"] is None


@pytest.mark.parametrize("gone", ["client", "worker"])
async def test_an_order_that_is_made_at_the_moment_of_an_erasure_is_found_by_it(
    system: System, admin: Person, client: Person, worker: Person, service: dict[str, Any], gone: str
) -> None:
    await client.order(service["id"])  # brings the copies along
    platform = system.apps["orders"].state.platform
    words, by = f"secret{uuid4().hex}", UUID(client.id)
    async with platform.database.session() as session:
        made = await orders.create(
            session,
            platform.internal,
            User(id=by, role="client", claims=Claims(by, "client", new_id(), user_version=1, expires_at=0)),
            service_id=UUID(service["id"]),
            quantity=1,
            description=words,
            address=words,
            scheduled_at=None,
            contact_phone=None,
            confirmed_only=False,
            accept_timeout=timedelta(hours=24),
        )
        event_id = await tell(system, erased(client if gone == "client" else worker, 2))
        await eventually(lambda: someone_waits_for_a_lock(system, "orders"))
    await heard(system, "orders", event_id)

    assert (await read(admin, {"id": made.id}))["status"] == "cancelled"
    assert await tables_with(system, "orders", words) == (set() if gone == "client" else {"orders"})


async def test_an_export_holds_all_of_ones_orders_and_nothing_that_others_wrote(
    system: System, client: Person, worker: Person, service: dict[str, Any]
) -> None:
    private = {"address": "7 Secret St", "description": "The key is under the mat.", "contact_phone": "+998901234567"}
    order = await client.order(service["id"], **private)
    expect(await worker.accept(order["id"]), 200)
    await worker.post(f"/api/orders/{order['id']}/status/", {"status": "pending", "note": "My knee."})
    await client.post(f"/api/orders/{order['id']}/status/", {"status": "cancelled", "note": "My cat."})
    await (await register(client.http, "client")).order(service["id"])

    (of_client,) = (await asked(system, "orders", f"/internal/users/{client.id}/export/"))["orders"]
    of_worker = (await asked(system, "orders", f"/internal/users/{worker.id}/export/"))["orders"]

    history = of_client.pop("history")
    assert of_client.pop("disputes") == []
    assert [entry["note"] for entry in history] == [None, None, None, "My cat."]
    assert [entry["to"] for entry in history] == ["pending", "assigned", "pending", "cancelled"]
    assert of_client == expect(await client.get("/api/orders/"), 200)["results"][0]
    assert of_client | private == of_client
    assert len(of_worker) == 2
    assert of_worker[0]["id"] == order["id"]
    assert [entry["note"] for entry in of_worker[0]["history"]] == [None, None, "My knee.", None]
    told_to_worker = json.dumps(of_worker)
    assert not [word for word in (*private.values(), "My cat.", "1 Navoi St") if word in told_to_worker]


async def test_open_orders_are_counted_for_all_their_people(
    system: System, client: Person, worker: Person, service: dict[str, Any]
) -> None:
    async def count(person: Person) -> int:
        found: int = (await asked(system, "orders", f"/internal/users/{person.id}/open/"))["open_orders"]
        return found

    pending, begun, _ = [await client.order(service["id"]) for _ in range(3)]
    expect(await worker.accept(begun["id"]), 200)
    expect(await worker.move(begun["id"], "in_progress"), 200)
    assert (await count(client), await count(worker)) == (3, 3)

    expect(await worker.move(begun["id"], "completed"), 200)
    expect(await client.move(pending["id"], "cancelled"), 200)

    assert (await count(client), await count(worker)) == (1, 1)
    assert await count(await register(client.http, "client")) == 0


@pytest.mark.parametrize("what", ["export", "open"])
async def test_what_is_held_of_a_user_is_for_services_alone(system: System, client: Person, what: str) -> None:
    async with httpx.AsyncClient(base_url=system.urls["orders"], trust_env=False) as direct:
        answer = await direct.get(f"/internal/users/{client.id}/{what}/", headers=client.headers)

    assert answer.status_code == 401
