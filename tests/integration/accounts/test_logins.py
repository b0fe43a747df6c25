import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher

from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


async def refresh(http: httpx.AsyncClient, token: str, agent: str = "phone") -> httpx.Response:
    return await http.post("/api/auth/refresh/", json={"refresh": token}, headers={"User-Agent": agent})


async def test_registering_logs_in(http: httpx.AsyncClient) -> None:
    person = await register(http, "client", full_name="Малика Саидова", language="ru", phone="+998901234567")

    me = expect(await person.get("/api/users/me/"), 200)

    assert me == person.login["user"]
    assert me["full_name"] == "Малика Саидова"
    assert person.login["token_type"] == "Bearer"
    assert person.login["expires_in"] == 600


async def test_an_email_is_taken_whatever_its_case(http: httpx.AsyncClient) -> None:
    email = f"{uuid4()}@example.com"
    await register(http, "client", email=email)
    body = {"email": email.upper(), "password": "correct horse", "full_name": "B", "role": "worker"}

    answer = await http.post("/api/auth/register/", json=body)

    assert expect(answer, 409)["type"] == "email-taken"


async def test_of_many_registrations_of_one_email_at_once_one_wins(http: httpx.AsyncClient) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": "correct horse", "full_name": "B", "role": "client"}

    answers = await asyncio.gather(*(http.post("/api/auth/register/", json=body) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


async def test_nobody_registers_as_admin(http: httpx.AsyncClient) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": "correct horse", "full_name": "B", "role": "admin"}

    problem = expect(await http.post("/api/auth/register/", json=body), 422)

    assert [error["field"] for error in problem["errors"]] == ["role"]


async def test_a_refused_password_is_not_repeated(http: httpx.AsyncClient) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": "hunter2", "full_name": "B", "role": "client"}

    answer = await http.post("/api/auth/register/", json=body)

    assert answer.status_code == 422
    assert "hunter2" not in answer.text


async def test_wrong_password_and_unknown_email_read_the_same(http: httpx.AsyncClient, client: Person) -> None:
    known = {"email": client.login["user"]["email"], "password": "wrong"}
    unknown = {"email": f"{uuid4()}@example.com", "password": "wrong"}

    wrong, nobody = [await http.post("/api/auth/login/", json=body) for body in (known, unknown)]

    assert wrong.status_code == nobody.status_code == 401
    assert wrong.headers["www-authenticate"] == nobody.headers["www-authenticate"]
    assert wrong.json() | {"request_id": ""} == nobody.json() | {"request_id": ""}


async def test_a_refresh_token_gives_one_new_pair(http: httpx.AsyncClient, client: Person) -> None:
    new = expect(await refresh(http, client.login["refresh"]), 200)

    assert new["refresh"] != client.login["refresh"]
    assert (await Person(http, new).get("/api/users/me/")).status_code == 200


async def test_the_same_refresh_sent_twice_gives_the_same_successor(http: httpx.AsyncClient, client: Person) -> None:
    answers = await asyncio.gather(*(refresh(http, client.login["refresh"]) for _ in range(5)))

    assert len({expect(answer, 200)["refresh"] for answer in answers}) == 1


async def test_a_spent_refresh_token_in_other_hands_ends_the_family(http: httpx.AsyncClient, client: Person) -> None:
    successor = expect(await refresh(http, client.login["refresh"]), 200)["refresh"]

    stolen = await refresh(http, client.login["refresh"], agent="thief")
    after = await refresh(http, successor)

    assert expect(stolen, 401)["type"] == "invalid-refresh-token"
    assert expect(after, 401)["type"] == "invalid-refresh-token"


async def test_logout_ends_the_family(http: httpx.AsyncClient, client: Person) -> None:
    token = client.login["refresh"]

    answer = await http.post("/api/auth/logout/", json={"refresh": token})

    assert answer.status_code == 204
    assert (await refresh(http, token)).status_code == 401


async def test_tokens_and_logins_are_kept_by_no_cache(http: httpx.AsyncClient, client: Person) -> None:
    body = {"email": client.login["user"]["email"], "password": "correct horse"}

    answer = await http.post("/api/auth/login/", json=body)

    assert answer.headers["cache-control"] == "no-store"


async def test_wrong_password_and_unknown_email_cost_one_run_of_argon2_each(
    http: httpx.AsyncClient, client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(PasswordHasher, name)
        return lambda *values: (ran.append(name), real(*values))[1]

    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, counted(name))
    for email in (client.email, f"{uuid4()}@example.com"):
        ran.clear()
        await http.post("/api/auth/login/", json={"email": email, "password": "wrong"})
        assert ran == ["verify"]


async def test_a_flood_of_logins_is_refused_in_part_and_leaves_room_for_others(
    http: httpx.AsyncClient, client: Person
) -> None:
    body = {"email": f"{uuid4()}@example.com", "password": "wrong"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=http.base_url, timeout=30, limits=limits, trust_env=False) as flood:
        logins = [asyncio.create_task(flood.post("/api/auth/login/", json=body)) for _ in range(120)]

        async def the_rest_is_refused() -> bool:
            return sum(login.done() for login in logins) >= 120 - 34  # two at work, 32 waiting

        await eventually(the_rest_is_refused)
        meanwhile = [(await client.get("/api/users/me/")).status_code for _ in range(5)]
        answers = await asyncio.gather(*logins)

    statuses = Counter(answer.status_code for answer in answers)
    assert meanwhile == [200] * 5
    assert statuses[503] > 0
    assert statuses[401] >= 34
    assert statuses.total() == statuses[503] + statuses[401]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 503)
