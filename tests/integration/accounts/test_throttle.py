"""Limits as several instances keep them together, in PostgreSQL; time stands still, and moves when a test says so."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import DateTime, literal, update
from sqlmodel import col, select

from marketplace.registry import service_settings
from services.accounts import throttle as limits
from services.accounts.domain import Role, login_delay
from services.accounts.models import LoginFailures, User
from services.accounts.models import Throttle as Bucket
from services.accounts.repo import throttles as repo
from services.accounts.throttle import (
    FAILED_LOGINS_PER_ADDRESS,
    LINK_PER_ACCOUNT,
    LOGIN_PER_ADDRESS,
    Throttle,
    address_key,
)
from shared.db import Database
from shared.db.base import utcnow
from shared.errors import TooManyRequests
from shared.ids import new_id
from tests.integration.conftest import SETTINGS

PATIENT = {**SETTINGS, "db_pool_timeout": "60s", "db_statement_timeout": "60s", "db_lock_timeout": "60s"}
"""So that a busy machine makes no other refusals than those that are meant."""


class Clock:
    """The database's clock, as far as the limits see it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._now = monkeypatch, utcnow()
        self.move(timedelta())

    def move(self, by: timedelta) -> None:
        self._now += by
        self._monkeypatch.setattr(repo, "NOW", literal(self._now, DateTime(timezone=True)))

    @property
    def now(self) -> datetime:
        return self._now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    database = Database(service_settings("accounts", **PATIENT, database_url=databases["accounts"]))
    yield database
    await database.close()


@pytest.fixture
def throttle(database: Database) -> Throttle:
    return Throttle(database, scale=1)


def someone() -> str:
    return f"{uuid4()}@example.com"


def somewhere() -> str:
    """An address that no other test uses."""
    part = uuid4().hex
    return f"2001:db8:{part[:4]}:{part[4:8]}::1"


async def taken(calls: Iterable[Awaitable[None]]) -> int:
    """How many of them were not refused, all made at once."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if answer is not None]
    assert all(isinstance(answer, TooManyRequests) for answer in refused), refused
    return len(answers) - len(refused)


async def retry_after(call: Awaitable[None]) -> int:
    """Of a call that is refused."""
    with pytest.raises(TooManyRequests) as refused:
        await call
    return int(refused.value.headers["Retry-After"])


async def fail(throttle: Throttle, clock: Clock, email: str, times: int) -> None:
    """So many failed logins, each from an address of its own and as soon as it is let through."""
    for failures in range(times):
        clock.move(login_delay(failures))
        await throttle.begin_login(email, somewhere())


def sha256_of(email: str) -> bytes:
    return hashlib.sha256(email.encode()).digest()


async def failures(database: Database, email: str) -> int | None:
    async with database.session() as session:
        row = await session.get(LoginFailures, sha256_of(email))
    return row.count if row else None


async def test_a_limit_lets_its_count_through_at_once_and_then_says_when_to_come_again(
    throttle: Throttle, clock: Clock
) -> None:
    who = somewhere()
    for _ in range(10):
        await throttle.take(LOGIN_PER_ADDRESS, who)

    assert await retry_after(throttle.take(LOGIN_PER_ADDRESS, who)) == 6


async def test_a_limit_refills_evenly(throttle: Throttle, clock: Clock) -> None:
    who = somewhere()
    await taken(throttle.take(LOGIN_PER_ADDRESS, who) for _ in range(10))

    clock.move(timedelta(seconds=5))
    early = await retry_after(throttle.take(LOGIN_PER_ADDRESS, who))
    clock.move(timedelta(seconds=1))
    one = await taken(throttle.take(LOGIN_PER_ADDRESS, who) for _ in range(3))
    clock.move(timedelta(minutes=1))
    all_again = await taken(throttle.take(LOGIN_PER_ADDRESS, who) for _ in range(12))

    assert (early, one, all_again) == (1, 1, 10)


async def test_the_time_is_the_databases_own(throttle: Throttle, database: Database) -> None:
    who = someone()
    await taken(throttle.take(LINK_PER_ACCOUNT, who) for _ in range(3))
    full = await taken([throttle.take(LINK_PER_ACCOUNT, who)])
    async with database.session() as session:
        mine = col(Bucket.key) == f"{LINK_PER_ACCOUNT.name}:{who}"
        await session.exec(update(Bucket).where(mine).values(due_at=utcnow() - timedelta(days=1)))

    assert full == 0
    assert await taken(throttle.take(LINK_PER_ACCOUNT, who) for _ in range(5)) == 3


async def test_who_comes_after_a_long_time_has_saved_nothing_up(throttle: Throttle, clock: Clock) -> None:
    who = somewhere()
    await throttle.take(LOGIN_PER_ADDRESS, who)
    clock.move(timedelta(days=1))

    assert await taken(throttle.take(LOGIN_PER_ADDRESS, who) for _ in range(20)) == 10


async def test_of_50_at_once_on_two_instances_a_limit_of_10_lets_10_through(
    throttle: Throttle, databases: dict[str, str], clock: Clock
) -> None:
    other_database = Database(service_settings("accounts", **PATIENT, database_url=databases["accounts"]))
    other, who = Throttle(other_database, scale=1), somewhere()

    came = await taken([one.take(LOGIN_PER_ADDRESS, who) for one in (throttle, other) for _ in range(25)])
    await other_database.close()

    assert came == 10


async def test_limits_and_people_do_not_share(throttle: Throttle, clock: Clock) -> None:
    one, other = somewhere(), somewhere()
    await taken(throttle.take(LINK_PER_ACCOUNT, one) for _ in range(3))

    assert await taken([throttle.take(LINK_PER_ACCOUNT, one)]) == 0
    assert await taken([throttle.take(LINK_PER_ACCOUNT, other), throttle.take(LOGIN_PER_ADDRESS, one)]) == 2


async def test_a_refused_call_does_not_delay_the_next(throttle: Throttle, clock: Clock) -> None:
    who = someone()
    await taken(throttle.take(LINK_PER_ACCOUNT, who) for _ in range(100))
    clock.move(timedelta(minutes=20))

    assert await taken(throttle.take(LINK_PER_ACCOUNT, who) for _ in range(2)) == 1


async def test_what_is_given_back_can_be_taken_again(throttle: Throttle, clock: Clock) -> None:
    who = someone()
    await taken(throttle.take(LINK_PER_ACCOUNT, who) for _ in range(3))

    await throttle.give_back(LINK_PER_ACCOUNT, who)

    assert await taken(throttle.take(LINK_PER_ACCOUNT, who) for _ in range(3)) == 1


@pytest.mark.parametrize(("scale", "expected"), [(0.001, 1), (0.5, 5), (3, 30), (7, 70)])
async def test_a_scale_multiplies_limits_and_leaves_at_least_one(
    database: Database, clock: Clock, scale: float, expected: int
) -> None:
    throttle, who = Throttle(database, scale), somewhere()

    assert await taken(throttle.take(LOGIN_PER_ADDRESS, who) for _ in range(expected + 5)) == expected


async def test_of_100_guesses_at_once_5_are_looked_at(throttle: Throttle, clock: Clock) -> None:
    email = someone()

    assert await taken(throttle.begin_login(email, somewhere()) for _ in range(100)) == 5


async def test_an_unknown_email_is_delayed_as_a_known_one(throttle: Throttle, database: Database, clock: Clock) -> None:
    known, unknown = someone(), someone()
    about = {"full_name": "Ali", "role": Role.CLIENT, "language": "uz", "password_hash": "x"}
    async with database.session() as session:
        session.add(
            User(id=new_id(), email=known, email_key=known, created_at=clock.now, updated_at=clock.now, **about)
        )

    for email in (known, unknown):
        assert await taken(throttle.begin_login(email, somewhere()) for _ in range(6)) == 5
    assert {await retry_after(throttle.begin_login(email, somewhere())) for email in (known, unknown)} == {1}
    assert await failures(database, known) == await failures(database, unknown) == 5


async def test_the_delay_of_an_account_is_the_rules(throttle: Throttle, clock: Clock) -> None:
    email = someone()
    await fail(throttle, clock, email, 5)

    delays = []
    for _ in range(8):
        delays.append(await retry_after(throttle.begin_login(email, somewhere())))
        clock.move(timedelta(seconds=delays[-1]))
        await throttle.begin_login(email, somewhere())

    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_refused_login_counts_neither_for_the_account_nor_for_the_address(
    throttle: Throttle, database: Database, clock: Clock
) -> None:
    email, address = someone(), somewhere()
    await fail(throttle, clock, email, 9)

    refused = await taken(throttle.begin_login(email, address) for _ in range(30))

    assert (refused, await failures(database, email)) == (0, 9)
    assert await taken(throttle.begin_login(someone(), address) for _ in range(30)) == 20
    clock.move(login_delay(9))
    assert await taken([throttle.begin_login(email, somewhere())]) == 1


async def test_failures_are_forgotten_after_15_minutes_without_another(
    throttle: Throttle, database: Database, clock: Clock
) -> None:
    email = someone()
    await fail(throttle, clock, email, 12)

    clock.move(timedelta(minutes=15))

    assert await taken(throttle.begin_login(email, somewhere()) for _ in range(6)) == 5


async def test_a_success_forgets_the_accounts_failures_and_not_those_of_the_address(
    throttle: Throttle, database: Database, clock: Clock
) -> None:
    email, address = someone(), somewhere()
    await taken(throttle.begin_login(someone(), address) for _ in range(19))
    await throttle.begin_login(email, address)

    await throttle.login_succeeded(email, address)

    assert await failures(database, email) is None
    assert await taken(throttle.begin_login(someone(), address) for _ in range(3)) == 1


async def test_an_address_may_fail_20_times_in_5_minutes_over_all_accounts(throttle: Throttle, clock: Clock) -> None:
    address = somewhere()

    assert await taken(throttle.begin_login(someone(), address) for _ in range(50)) == 20
    assert await retry_after(throttle.begin_login(someone(), address)) == 15
    assert await taken([throttle.begin_login(someone(), somewhere())]) == 1


async def test_the_addresses_of_one_ipv6_network_are_one(throttle: Throttle, clock: Clock) -> None:
    network = somewhere().removesuffix("1")

    assert await taken(throttle.begin_login(someone(), f"{network}{host:x}") for host in range(30)) == 20


async def test_where_limits_are_raised_the_delay_begins_later(database: Database, clock: Clock) -> None:
    email, address = someone(), somewhere()

    assert await taken(Throttle(database, 3).begin_login(email, address) for _ in range(30)) == 15


async def test_the_sweep_deletes_what_says_nothing_any_more_and_nothing_else(
    throttle: Throttle, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STEP", 2)
    old, new = {someone() for _ in range(5)}, someone()
    for email in old:
        await throttle.begin_login(email, email)
    clock.move(timedelta(minutes=15))
    address = somewhere()
    await throttle.begin_login(new, address)

    await throttle.sweep()

    async with database.session() as session:
        hashes = set((await session.exec(select(LoginFailures.email_hash))).all())
        keys = set((await session.exec(select(Bucket.key))).all())
    assert not hashes & {sha256_of(email) for email in old}
    assert sha256_of(new) in hashes
    assert f"{FAILED_LOGINS_PER_ADDRESS.name}:{address_key(address)}" in keys
    assert f"{FAILED_LOGINS_PER_ADDRESS.name}:unknown" not in keys
