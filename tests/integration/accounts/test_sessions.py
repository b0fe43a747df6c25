"""The devices that someone is logged in on: listed, and ended one by one."""

from typing import Any

import httpx

from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

PASSWORD = "correct horse"


async def log_in(person: Person, agent: str = "phone") -> Person:
    """The same user on another device."""
    body = {"email": person.login["user"]["email"], "password": PASSWORD}
    answer = await person.http.post("/api/auth/login/", json=body, headers={"User-Agent": agent})
    return Person(person.http, expect(answer, 200))


async def sessions(person: Person, **query: Any) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = expect(await person.get("/api/auth/sessions/", **query), 200)["results"]
    return results


async def test_every_device_is_listed_newest_first_and_which_one_this_is(client: Person) -> None:
    phone = await log_in(client, "phone")

    found = await sessions(phone)

    assert found[0]["agent"] == "phone"
    assert [each["is_current"] for each in found] == [True, False]
    assert {*found[0]} == {"id", "address", "agent", "created_at", "last_used_at", "is_current"}


async def test_sessions_come_in_pages(client: Person) -> None:
    for number in range(4):
        await log_in(client, f"device {number}")

    seen, address = [], "/api/auth/sessions/?limit=2"
    while address:
        page = expect(await client.get(address), 200)
        seen += [each["id"] for each in page["results"]]
        address = page["next"]

    assert len(seen) == len({*seen}) == 5


async def test_one_device_is_logged_out_and_no_other(http: httpx.AsyncClient, client: Person) -> None:
    phone = await log_in(client, "phone")
    (lost,) = [each["id"] for each in await sessions(client) if each["agent"] == "phone"]

    answer = await client.http.delete(f"/api/auth/sessions/{lost}/", headers=client.headers)

    assert answer.status_code == 204
    assert [each["id"] for each in await sessions(client)] != []
    spent = await http.post("/api/auth/refresh/", json={"refresh": phone.login["refresh"]})
    assert spent.status_code == 401

    async def refused() -> bool:
        return (await phone.get("/api/orders/")).status_code == 401

    await eventually(refused)
    assert (await client.get("/api/orders/")).status_code == 200


async def test_nobody_logs_others_out(http: httpx.AsyncClient, client: Person) -> None:
    stranger = await register(http, "client")
    (own,) = await sessions(client)

    answer = await http.delete(f"/api/auth/sessions/{own['id']}/", headers=stranger.headers)

    assert answer.status_code == 404
    assert (await sessions(client)) == [own]


async def test_a_session_that_is_ended_is_gone_from_the_list(client: Person) -> None:
    phone = await log_in(client, "phone")
    await client.http.post("/api/auth/logout/", json={"refresh": phone.login["refresh"]})

    assert [each["is_current"] for each in await sessions(client)] == [True]
