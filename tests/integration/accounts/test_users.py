"""Accounts as their owners and admins see and change them."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from marketplace.system import System
from tests.support.events import settings_changed
from tests.support.mails import MailFolder
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


async def patch(person: Person, user_id: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await person.http.patch(f"/api/users/{user_id}/", json=body, headers=person.headers | headers)


async def test_one_sees_oneself_and_an_admin_everyone(client: Person, admin: Person) -> None:
    own = expect(await client.get(f"/api/users/{client.id}/"), 200)

    assert own == expect(await client.get("/api/users/me/"), 200)
    assert own == expect(await admin.get(f"/api/users/{client.id}/"), 200)


async def test_nobody_sees_another(client: Person, worker: Person) -> None:
    for path in (f"/api/users/{worker.id}/", f"/api/users/{uuid4()}/"):
        assert expect(await client.get(path), 404)["type"] == "not-found"
    assert (await patch(client, worker.id, {"full_name": "Mallory"})).status_code == 404


async def test_patch_changes_what_is_given_and_counts_the_version_up(client: Person) -> None:
    changed = expect(await patch(client, client.id, {"full_name": "Гулнора", "phone": "90 123 45 67"}), 200)

    assert changed["full_name"] == "Гулнора"
    assert changed["phone"] == "+998901234567"
    assert changed["language"] == client.login["user"]["language"]
    assert changed["version"] == client.login["user"]["version"] + 1


async def test_put_replaces_everything_that_may_be_set(http: httpx.AsyncClient) -> None:
    person = await register(http, "client", phone="+998901234567", language="ru")

    answer = await http.put(f"/api/users/{person.id}/", json={"full_name": "Anew"}, headers=person.headers)

    changed = expect(answer, 200)
    assert (changed["full_name"], changed["phone"], changed["language"]) == ("Anew", None, "uz")
    assert changed["is_active"]


async def test_what_may_not_be_set_is_refused(client: Person) -> None:
    for field in ("role", "email", "id", "version", "email_confirmed"):
        problem = expect(await patch(client, client.id, {field: "admin"}), 422)
        assert [error["field"] for error in problem["errors"]] == [field]


async def test_another_version_than_the_one_that_was_seen_is_not_changed(client: Person) -> None:
    seen = (await client.get("/api/users/me/")).headers["etag"]
    expect(await patch(client, client.id, {"full_name": "First"}, **{"If-Match": seen}), 200)

    late = await patch(client, client.id, {"full_name": "Second"}, **{"If-Match": seen})

    assert expect(late, 412)["type"] == "version-mismatch"
    assert expect(await client.get("/api/users/me/"), 200)["full_name"] == "First"


async def test_of_changes_at_once_with_one_version_one_is_made(client: Person) -> None:
    seen = {"If-Match": (await client.get("/api/users/me/")).headers["etag"]}

    answers = await asyncio.gather(*(patch(client, client.id, {"full_name": f"N{n}"}, **seen) for n in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


async def test_a_change_that_changes_nothing_is_no_new_version(client: Person) -> None:
    name = client.login["user"]["full_name"]
    assert expect(await patch(client, client.id, {"full_name": name}), 200)["version"] == 1


async def test_me_is_no_id(client: Person) -> None:
    for method in ("PUT", "PATCH"):
        answer = await client.http.request(method, "/api/users/me/", json={"full_name": "N"}, headers=client.headers)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "DELETE, GET"


async def test_only_an_admin_closes_an_account(client: Person) -> None:
    assert expect(await patch(client, client.id, {"is_active": False}), 403)["type"] == "forbidden"


async def test_an_admin_does_not_close_their_own(admin: Person) -> None:
    assert expect(await patch(admin, admin.id, {"is_active": False}), 409)["type"] == "own-account"


async def test_the_list_is_for_admins(client: Person, worker: Person) -> None:
    for person in (client, worker):
        assert (await person.get("/api/users/")).status_code == 403


@pytest.mark.parametrize("wanted", ["{name}", "{email}", "{phone}", "{name} {phone}"])
async def test_an_admin_finds_a_user_by_the_beginning_of_a_word(
    http: httpx.AsyncClient, admin: Person, wanted: str
) -> None:
    mark = uuid4().hex[:12]
    phone = f"+99890{uuid4().int % 10**7:07d}"
    person = await register(http, "worker", full_name=f"Ўткир {mark}", email=f"u{mark}@example.com", phone=phone)
    search = wanted.format(name=mark[:8], email=f"u{mark}@exam", phone=phone[:12])

    found = expect(await admin.get("/api/users/", search=search), 200)["results"]

    assert person.id in [user["id"] for user in found]
    by_name = expect(await admin.get("/api/users/", search=mark), 200)["results"]
    assert [user["email"] for user in by_name] == [f"u{mark}@example.com"]


async def test_users_are_filtered_and_come_in_pages(http: httpx.AsyncClient, admin: Person) -> None:
    mark = uuid4().hex
    people = [await register(http, role, full_name=f"{role} {mark}") for role in ("client", "worker", "client")]
    expect(await patch(admin, people[2].id, {"is_active": False}), 200)

    async def found(**query: Any) -> list[str]:
        ids, address = [], str(httpx.URL("/api/users/", params={"search": mark, "limit": 1, **query}))
        while address:
            page = expect(await admin.get(address), 200)
            ids += [user["id"] for user in page["results"]]
            address = page["next"]
        return ids

    assert await found() == [person.id for person in people[::-1]]
    assert await found(role="worker") == [people[1].id]
    assert await found(active="false") == [people[2].id]
    assert await found(active="true", role="client") == [people[0].id]


async def test_a_banned_user_is_out_everywhere_and_can_come_back(http: httpx.AsyncClient, admin: Person) -> None:
    person = await register(http, "client")
    login = {"email": person.login["user"]["email"], "password": "correct horse"}

    expect(await patch(admin, person.id, {"is_active": False}), 200)

    async def out() -> bool:
        paths = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")
        return [(await person.get(path)).status_code for path in paths] == [401] * 4

    await eventually(out)
    assert (await http.post("/api/auth/refresh/", json={"refresh": person.login["refresh"]})).status_code == 401
    wrong = await http.post("/api/auth/login/", json=login | {"password": "wrong"})
    banned = await http.post("/api/auth/login/", json=login)
    assert wrong.json() | {"request_id": ""} == banned.json() | {"request_id": ""}

    expect(await patch(admin, person.id, {"is_active": True}), 200)
    back = Person(http, expect(await http.post("/api/auth/login/", json=login), 200))
    assert (await back.get("/api/orders/")).status_code == 200
    assert (await person.get("/api/orders/")).status_code == 401


async def test_an_admin_whose_login_ended_changes_nothing_although_the_token_lives(
    http: httpx.AsyncClient, admin: Person, client: Person
) -> None:
    body = {"email": admin.login["user"]["email"], "password": "correct horse"}
    second = Person(http, expect(await http.post("/api/auth/login/", json=body), 200))
    await http.post("/api/auth/logout/", json={"refresh": second.login["refresh"]})

    # At once: long before any event need have arrived.
    assert (await patch(second, client.id, {"is_active": False})).status_code == 401
    assert expect(await client.get("/api/users/me/"), 200)["is_active"]


async def test_a_ban_of_a_worker_cancels_what_waits_hides_what_they_offer_and_shows_the_rest_to_an_admin(
    http: httpx.AsyncClient, admin: Person, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    waiting, accepted = await client.order(service["id"]), await client.order(service["id"])
    assert (await worker.accept(accepted["id"])).status_code == 200

    expect(await patch(admin, worker.id, {"is_active": False}), 200)

    async def status(order: dict[str, Any]) -> str:
        found: str = expect(await client.get(f"/api/orders/{order['id']}/"), 200)["status"]
        return found

    async def cancelled() -> bool:
        return await status(waiting) == "cancelled"

    async def hidden() -> bool:
        return (await http.get(f"/api/services/{service['id']}/")).status_code == 404

    await eventually(cancelled)
    await eventually(hidden)
    assert await status(accepted) == "assigned"
    listed = expect(await admin.get("/api/orders/", attention="true", limit=100), 200)["results"]
    assert accepted["id"] in [order["id"] for order in listed]
    assert waiting["id"] not in [order["id"] for order in listed]
    assert (await http.get(f"/api/workers/{worker.id}/")).status_code == 404
    assert (await client.try_order(service["id"])).status_code == 409


async def test_where_it_is_required_an_order_waits_for_the_confirmed_address(
    system: System, http: httpx.AsyncClient, client: Person, worker: Person, mails: MailFolder
) -> None:
    service = await worker.offer()
    with settings_changed(system, "orders", require_confirmed_email=True):
        refused = await client.try_order(service["id"])
        (token,) = await mails.tokens(client.email, "confirm-email")
        assert (await http.post("/api/auth/email/confirm/", json={"token": token})).status_code == 204
        # At once: the copy that would refuse asks accounts first.
        taken = await client.try_order(service["id"])

    assert expect(refused, 409)["type"] == "email-not-confirmed"
    assert taken.status_code == 201
