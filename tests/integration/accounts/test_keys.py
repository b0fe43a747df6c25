"""Signing keys are rotated under load without a failed request, and a leaked one is dropped at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import jwt
import pytest
from sqlalchemy import update

from marketplace.system import System, serving
from services.accounts.keys import Signer
from services.accounts.models import SigningKey
from shared.db.base import utcnow
from shared.http.server import listen
from tests.integration.conftest import SETTINGS
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually

QUICK = {"access_token_ttl": "60s", "key_lead": "400ms", "keys_reload": "20ms", "jwks_max_age": "100ms"}
READS = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")


@pytest.fixture
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    """With keys that are rotated in moments."""
    with listen("127.0.0.1", 0) as public:
        async with serving(public, databases.__getitem__, SETTINGS | QUICK) as running:
            yield running


@pytest.fixture
async def http(system: System) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.address, timeout=10, trust_env=False) as client:
        yield client


def signer_of(system: System) -> Signer:
    signer: Signer = system.apps["accounts"].state.identity.signer
    return signer


async def rotate(system: System, *, now: bool = False) -> str:
    """As `marketplace rotate-keys`: on accounts' database, beside the running service."""
    signer, database = signer_of(system), system.apps["accounts"].state.platform.database
    async with database.session() as session:
        return await (signer.replace(session) if now else signer.rotate(session))


def kid_of(person: Person) -> str:
    kid: str = jwt.get_unverified_header(person.login["access"])["kid"]
    return kid


async def published(http: httpx.AsyncClient) -> list[str]:
    return [key["kid"] for key in expect(await http.get("/.well-known/jwks.json"), 200)["keys"]]


async def test_rotating_under_load_fails_no_request(system: System, http: httpx.AsyncClient) -> None:
    answers: Counter[int] = Counter()
    kids: set[str] = set()
    stop = asyncio.Event()

    async def live() -> None:
        """A user who reads with a token as long as it lives, and refreshes it now and then."""
        person = await register(http, "client")
        old = person
        kids.add(kid_of(person))
        while not stop.is_set():
            for path in READS:
                for each in (person, old):
                    answers[(await each.get(path)).status_code] += 1
            answer = await http.post("/api/auth/refresh/", json={"refresh": person.login["refresh"]})
            answers[answer.status_code] += 1
            person = Person(http, answer.json())
            kids.add(kid_of(person))

    async def all_read() -> bool:
        return answers[200] >= 40

    people = [asyncio.create_task(live()) for _ in range(4)]
    try:
        await eventually(all_read)
        for _ in range(2):
            new = await rotate(system)
            assert new not in kids

            async def signs(kid: str = new) -> bool:
                return kid in kids

            await eventually(signs)
    finally:
        stop.set()
        await asyncio.gather(*people)

    assert {*answers} == {200}
    assert answers.total() > 50
    assert len(kids) == 3


async def test_a_new_key_is_published_before_it_signs(system: System, http: httpx.AsyncClient) -> None:
    before = kid_of(await register(http, "client"))
    signer_of(system)._lead = timedelta(minutes=10)
    new = await rotate(system)

    assert {before, new} <= {*await published(http)}
    assert kid_of(await register(http, "client")) == before


async def test_an_old_key_is_published_until_its_last_token_has_ended(system: System, http: httpx.AsyncClient) -> None:
    database = system.apps["accounts"].state.platform.database
    old = kid_of(await register(http, "client"))
    new = await rotate(system)
    async with database.session() as session:
        before, after = await session.get(SigningKey, old), await session.get(SigningKey, new)
    assert before.ends_at - after.signs_from >= timedelta(seconds=60)

    async with database.session() as session:  # that time has passed
        await session.exec(update(SigningKey).where(SigningKey.kid == old).values(ends_at=utcnow()))

    assert old not in await published(http)
    assert new in await published(http)


async def test_a_leaked_key_is_believed_by_nobody_at_once(system: System, http: httpx.AsyncClient) -> None:
    person = await register(http, "client")
    new = await rotate(system, now=True)

    async def refused() -> bool:
        return [(await person.get(path)).status_code for path in READS] == [401] * 4

    await eventually(refused)
    assert await published(http) == [new]
    answer = await http.post("/api/auth/refresh/", json={"refresh": person.login["refresh"]})
    again = Person(http, expect(answer, 200))
    assert kid_of(again) == new

    async def back() -> bool:
        return [(await again.get(path)).status_code for path in READS] == [200] * 4

    await eventually(back)
