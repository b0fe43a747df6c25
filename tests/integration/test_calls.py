"""Every call × anonymous, client, worker, admin, banned, other: the table of `calls.py`, walked through the gateway."""

from collections import Counter

import httpx
import pytest

from marketplace.system import System
from tests.contract.apps import operations
from tests.integration.calls import CALLS, Call
from tests.integration.scenes import Request, Scene
from tests.integration.world import ADMIN, CALLERS, CLIENT, WORKER, World, prepared
from tests.support.answers import assert_problem, assert_success
from tests.support.people import Person

DOCUMENTED = {(method, path): (service, operation) for service, method, path, operation in operations()}
ROWS = [call for call in CALLS if call.operation in DOCUMENTED]
"""The rest fails the test of its own below, and not the collection of all others."""
CELLS = [pytest.param(call, caller, id=f"{call.method} {call.path} by {caller}") for call in ROWS for caller in CALLERS]
WITH_A_BODY = [
    pytest.param(call, id=f"{call.method} {call.path}")
    for call in ROWS
    if "requestBody" in DOCUMENTED[call.operation][1]
]
NOT_TO_BE_STORED = ("/api/auth/", "/api/users/", "/api/payments/", "/api/notifications/")


@pytest.fixture(scope="module")
async def world(system: System, http: httpx.AsyncClient, admin: Person) -> World:
    return await prepared(system, http, admin)


def test_every_operation_has_a_row() -> None:
    assert DOCUMENTED.keys() - {call.operation for call in CALLS} == set()


def test_every_row_is_an_operation_and_has_no_second() -> None:
    rows = Counter(call.operation for call in CALLS)

    assert rows.keys() - DOCUMENTED.keys() == set()
    assert [operation for operation, count in rows.items() if count > 1] == []


@pytest.mark.parametrize(("call", "caller"), CELLS)
async def test_a_caller_gets_what_the_table_says(world: World, call: Call, caller: str) -> None:
    service, operation = DOCUMENTED[call.operation]
    scene = Scene(world, caller, call.whose, call.changes(caller))
    request = await call.sends(scene)
    before = await request.look()

    answer = await sent(world, call, request)

    if call.status(caller) < 400:
        assert answer.status_code == call.status(caller), answer.text
        body = assert_success(service, operation, answer)
        call.check(scene, request, body)
        assert not call.path.startswith(NOT_TO_BE_STORED) or answer.headers["cache-control"] == "no-store"
    else:
        assert_problem(service, operation, answer, call.status(caller), call.slug(caller))
    if caller != ADMIN:
        assert [contact for contact in contacts_of_others(world, request.by) if contact in answer.text] == []
    assert (await request.look() != before) == call.changes(caller)


@pytest.mark.parametrize("call", WITH_A_BODY)
async def test_a_body_with_a_field_too_many_changes_nothing(world: World, call: Call) -> None:
    service, operation = DOCUMENTED[call.operation]
    caller = next(caller for caller in (CLIENT, WORKER, ADMIN) if call.status(caller) < 400)
    request = await call.sends(Scene(world, caller, call.whose, changes=False))
    before = await request.look()

    answer = await sent(world, call, request, surprise="!")

    assert_problem(service, operation, answer, 422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["surprise"]
    assert await request.look() == before


async def sent(world: World, call: Call, request: Request, **more: str) -> httpx.Response:
    return await world.http.request(
        call.method,
        call.path.format(**{**world.ids, **request.ids}),
        params=request.query or None,
        json=request.body if request.body is None else request.body | more,
        files=request.files,
        data=more if request.files else None,
        headers=request.by.headers if request.by else None,
    )


def contacts_of_others(world: World, by: Person | None) -> set[str]:
    """E-mails and phones that only their owners, and an admin, may see."""
    others = [person.login["user"] for person in world.people.values() if by is None or person.id != by.id]
    return {user[contact] for user in others for contact in ("email", "phone")}
