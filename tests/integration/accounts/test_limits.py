"""The limits as a client meets them: by address and by account, with no word about who is known."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import DateTime, literal
from sqlmodel import func, select

from marketplace.system import System, serving
from services.accounts.models import OneTimeLink, User
from services.accounts.repo import throttles
from shared.db.base import utcnow
from shared.http.server import listen
from tests.integration.conftest import SETTINGS
from tests.support.people import PASSWORD, expect


@pytest.fixture(scope="module")
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    """With the limits of life."""
    with listen("127.0.0.1", 0) as public:
        async with serving(public, databases.__getitem__, {**SETTINGS, "rate_limit_scale": 1.0}) as running:
            yield running


@pytest.fixture(scope="module")
async def accounts(system: System) -> AsyncIterator[httpx.AsyncClient]:
    """Accounts as the gateway reaches it, so that a test can come from any address."""
    async with httpx.AsyncClient(base_url=system.urls["accounts"], timeout=10, trust_env=False) as client:
        yield client


def somewhere() -> str:
    """An address that nobody else uses."""
    part = uuid4().hex
    return f"2001:db8:{part[:4]}:{part[4:8]}::1"


async def call(accounts: httpx.AsyncClient, path: str, address: str, **body: str) -> httpx.Response:
    return await accounts.post(f"/api/auth/{path}/", json=body, headers={"X-Forwarded-For": address})


async def register(accounts: httpx.AsyncClient) -> str:
    """The e-mail of a new user."""
    email = f"{uuid4()}@example.com"
    body = {"email": email, "password": PASSWORD, "full_name": "A", "role": "client"}
    expect(await call(accounts, "register", somewhere(), **body), 201)
    return email


def is_told_to_wait(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 429
        and answer.json()["type"] == "too-many-requests"
        and int(answer.headers["retry-after"]) >= 1
    )


async def test_one_address_tries_to_log_in_ten_times_a_minute(accounts: httpx.AsyncClient) -> None:
    email, address = await register(accounts), somewhere()

    # At once: on a busy machine eleven in a row take so long that the eleventh may be let in.
    tries = (call(accounts, "login", address, email=f"{uuid4()}@example.com", password=PASSWORD) for _ in range(11))
    *let_in, last = sorted(await asyncio.gather(*tries), key=lambda answer: answer.status_code)

    assert [answer.status_code for answer in let_in] == [401] * 10
    assert is_told_to_wait(last)
    assert is_told_to_wait(await call(accounts, "login", address, email=email, password=PASSWORD))
    assert (await call(accounts, "login", somewhere(), email=email, password=PASSWORD)).status_code == 200


@pytest.mark.parametrize("known", [True, False])
async def test_after_five_failures_an_account_has_to_wait_whoever_asks_and_whether_it_is_there(
    accounts: httpx.AsyncClient, known: bool
) -> None:
    email = await register(accounts) if known else f"{uuid4()}@example.com"

    wrong = [await call(accounts, "login", somewhere(), email=email, password="wrong") for _ in range(5)]
    sixth = await call(accounts, "login", somewhere(), email=email, password=PASSWORD)

    assert {answer.status_code for answer in wrong} == {401}
    assert is_told_to_wait(sixth)


async def test_a_right_password_clears_what_failed_before(accounts: httpx.AsyncClient) -> None:
    email = await register(accounts)

    for _ in range(2):
        for _ in range(4):
            assert (await call(accounts, "login", somewhere(), email=email, password="wrong")).status_code == 401
        assert (await call(accounts, "login", somewhere(), email=email, password=PASSWORD)).status_code == 200


async def test_guesses_at_the_current_password_are_failed_logins_too(accounts: httpx.AsyncClient) -> None:
    email = await register(accounts)
    login = expect(await call(accounts, "login", somewhere(), email=email, password=PASSWORD), 200)
    headers = {"Authorization": f"Bearer {login['access']}"}
    body = {"current_password": "wrong", "new_password": "battery staple"}

    answers = [
        await accounts.post("/api/auth/password/", json=body, headers=headers | {"X-Forwarded-For": somewhere()})
        for _ in range(6)
    ]

    assert [answer.status_code for answer in answers[:5]] == [403] * 5
    assert is_told_to_wait(answers[5])


async def test_one_address_registers_and_refreshes_sixty_times_a_minute(
    accounts: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With bodies that go no further: what is counted is the call. The clock stands still, so nothing leaks out."""
    monkeypatch.setattr(throttles, "NOW", literal(utcnow(), DateTime(timezone=True)))
    address = somewhere()
    common = {"email": "a@example.com", "password": "password123", "full_name": "A", "role": "client"}

    registered = [await call(accounts, "register", address, **common) for _ in range(61)]
    refreshed = [await call(accounts, "refresh", address, refresh="none") for _ in range(61)]

    for answers, status in ((registered, 422), (refreshed, 401)):
        assert [answer.status_code for answer in answers[:60]] == [status] * 60
        assert is_told_to_wait(answers[60])


async def test_a_mailbox_gets_three_links_and_nobody_is_told(system: System, accounts: httpx.AsyncClient) -> None:
    email = await register(accounts)

    answers = [await call(accounts, "password/reset", somewhere(), email=email) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202] * 5
    async with system.apps["accounts"].state.platform.database.session() as session:
        mine = select(func.count()).select_from(OneTimeLink).join(User).where(User.email == email)
        (links,) = await session.exec(mine.where(OneTimeLink.purpose == "reset_password"))
    assert links == 3
