"""The keys of accounts are fetched in their time, kept when accounts is away, and never asked for in a flood."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects import postgresql

from shared.auth import keys as module
from shared.auth.keys import KEEP_STALE, KeyCache, KeyCacheRow
from shared.auth.revocations import Revocations
from shared.auth.users import Authenticator
from shared.db.base import utcnow
from shared.errors import Unauthenticated, Unavailable
from shared.messaging.local import LocalBus, LocalHub
from tests.unit.factories import ISSUER, USER_ID, FakeDatabase, access_token, jwk, settings

FIRST, SECOND = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
K1, K2 = jwk(FIRST, "k1"), jwk(SECOND, "k2")
AWAY = httpx.ConnectError("accounts is away")


class Accounts:
    """Answers with the keys it has, or fails; counts how often it was asked."""

    def __init__(self, *keys: Any) -> None:
        self.answer: Any = {"keys": list(keys)}
        self.asked = 0

    async def __call__(self) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Session:
    """Holds the row of `key_cache`."""

    def __init__(self) -> None:
        self.row: KeyCacheRow | None = None

    async def exec(self, statement: Any) -> Any:
        if statement.is_insert:
            values = statement.compile(dialect=postgresql.dialect()).params
            self.row = KeyCacheRow(id=1, jwks=values["jwks"], fetched_at=values["fetched_at"])
        return SimpleNamespace(first=lambda: self.row)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase(Session())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long `keep` wants to wait for news; it is cancelled instead."""
    pauses: list[float] = []

    async def woken(_: asyncio.Event, within: float) -> bool:
        pauses.append(within)
        raise asyncio.CancelledError

    monkeypatch.setattr(module, "woken", woken)
    return pauses


def cache(accounts: Accounts, database: Any) -> KeyCache:
    return KeyCache(accounts, database, settings(jwks_max_age="300s", jwks_retry_after="30s"))


async def keep_once(keys: KeyCache) -> None:
    with pytest.raises(asyncio.CancelledError):
        await keys.keep()


async def test_a_known_key_is_given_without_asking_again(clock: Any, database: Any) -> None:
    accounts = Accounts(K1, K2)
    keys = cache(accounts, database)

    assert [(await keys.key(kid)).kid for kid in ("k1", "k2", "k1")] == ["k1", "k2", "k1"]
    assert await keys.key("k1") is await keys.key("k1")
    assert accounts.asked == 1


async def test_an_unknown_kid_is_asked_for_at_most_once_in_30_seconds(clock: Any, database: Any) -> None:
    accounts = Accounts(K1)
    keys = cache(accounts, database)
    await keys.key("k1")

    async def guess(count: int) -> None:
        for number in range(count):
            with pytest.raises(Unauthenticated):
                await keys.key(f"guess {number}")

    await guess(50)
    assert accounts.asked == 1
    clock.now += 29.9
    await guess(50)
    assert accounts.asked == 1
    clock.now += 0.2
    await guess(50)
    assert accounts.asked == 2


async def test_guesses_at_the_same_moment_are_one_question(clock: Any, database: Any) -> None:
    accounts = Accounts(K1)
    keys = cache(accounts, database)
    await keys.key("k1")
    clock.now += 31

    answers = await asyncio.gather(*(keys.key("guess") for _ in range(20)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {Unauthenticated}
    assert accounts.asked == 2


async def test_a_new_key_is_found_by_its_kid(clock: Any, database: Any) -> None:
    accounts = Accounts(K1)
    keys = cache(accounts, database)
    await keys.key("k1")
    clock.now += 31
    accounts.answer = {"keys": [K1, K2]}

    assert (await keys.key("k2")).kid == "k2"


async def test_a_key_that_accounts_dropped_is_unknown_after_the_next_fetch(
    clock: Any, database: Any, pauses: list[float]
) -> None:
    accounts = Accounts(K1, K2)
    keys = cache(accounts, database)
    await keep_once(keys)
    clock.now += 300
    accounts.answer = {"keys": [K2]}
    await keep_once(keys)

    with pytest.raises(Unauthenticated):
        await keys.key("k1")


async def test_while_no_key_is_known_the_service_is_unavailable_and_no_token_is_wrong(
    clock: Any, database: Any
) -> None:
    accounts = Accounts()
    accounts.answer = AWAY
    keys = cache(accounts, database)

    with pytest.raises(Unavailable):
        await keys.key("k1")
    assert not keys.known


@pytest.mark.parametrize(
    "failure",
    [AWAY, httpx.ReadTimeout("slow"), ValueError("no JSON"), {}, {"keys": [{"kty": "OKP"}]}, {"error": "x"}],
    ids=repr,
)
async def test_keys_that_can_not_be_fetched_anew_are_believed_for_a_day(
    clock: Any, database: Any, pauses: list[float], failure: Any
) -> None:
    accounts = Accounts(K1)
    keys = cache(accounts, database)
    await keep_once(keys)
    accounts.answer = failure

    clock.now += KEEP_STALE - 1
    await keep_once(keys)
    assert (await keys.key("k1")).kid == "k1"

    clock.now += 31
    database.away = True  # its copy is as old, by another clock
    await keep_once(keys)
    with pytest.raises(Unavailable):
        await keys.key("k1")


async def test_a_day_is_a_day() -> None:
    assert timedelta(seconds=KEEP_STALE) == timedelta(hours=24)


@pytest.mark.parametrize("nonsense", [[], None, {"keys": None}, {"keys": ["x"]}], ids=repr)
async def test_an_answer_that_is_no_key_set_does_not_end_the_keeping(
    clock: Any, database: Any, pauses: list[float], nonsense: Any
) -> None:
    accounts = Accounts(K1)
    keys = cache(accounts, database)
    await keep_once(keys)
    clock.now += 300
    accounts.answer = nonsense

    await keep_once(keys)

    assert (await keys.key("k1")).kid == "k1"


@pytest.mark.parametrize(
    "foreign",
    [
        {"kty": "oct", "kid": "s", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        {"kty": "OKP", "kid": "x", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"},
        {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "abc"},
    ],
    ids=["shared-secret", "another-curve", "unknown-kind"],
)
async def test_a_key_of_another_kind_is_left_out_and_the_others_hold(clock: Any, database: Any, foreign: Any) -> None:
    keys = cache(Accounts(foreign, K1), database)

    assert (await keys.key("k1")).kid == "k1"
    with pytest.raises(Unauthenticated):
        await keys.key(foreign["kid"])


async def test_keys_outlive_a_restart_while_accounts_is_away(clock: Any, database: Any, pauses: list[float]) -> None:
    await cache(Accounts(K1), database).key("k1")
    accounts = Accounts()
    accounts.answer = AWAY
    restarted = cache(accounts, database)

    await keep_once(restarted)

    assert restarted.known
    assert (await restarted.key("k1")).kid == "k1"


async def test_keys_that_are_kept_for_more_than_a_day_are_not_believed(
    clock: Any, database: Any, pauses: list[float]
) -> None:
    database.given.row = KeyCacheRow(id=1, jwks={"keys": [K1]}, fetched_at=utcnow() - timedelta(hours=24, seconds=1))
    accounts = Accounts()
    accounts.answer = AWAY
    keys = cache(accounts, database)

    await keep_once(keys)

    assert not keys.known


async def test_a_database_that_is_away_keeps_no_key_from_use(clock: Any, database: Any, pauses: list[float]) -> None:
    database.away = True
    keys = cache(Accounts(K1), database)

    await keep_once(keys)

    assert (await keys.key("k1")).kid == "k1"


async def test_keys_are_fetched_every_300_seconds_30_after_a_failure_and_1_while_none_are_known(
    clock: Any, database: Any, pauses: list[float]
) -> None:
    accounts = Accounts()
    accounts.answer = AWAY
    keys = cache(accounts, database)

    await keep_once(keys)
    clock.now += 1
    accounts.answer = {"keys": [K1]}
    await keep_once(keys)
    clock.now += 300
    accounts.answer = AWAY
    await keep_once(keys)

    assert pauses == [1, 300, 30]
    assert accounts.asked == 3


async def test_an_authenticator_names_the_user_of_a_token_and_the_service_of_a_service_token(
    clock: Any, database: Any
) -> None:
    secret = "q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc"
    revocations = Revocations(FakeDatabase(), LocalBus(LocalHub(), "orders"), settings())  # type: ignore[arg-type]
    authenticator = Authenticator("orders", cache(Accounts(K1), database), revocations, ISSUER, secret)

    assert (await authenticator.user(access_token(FIRST))).id == USER_ID
    with pytest.raises(Unauthenticated):
        await authenticator.user(access_token(SECOND))  # says k1, and is signed by k2
    with pytest.raises(Unauthenticated):
        authenticator.service(access_token(FIRST))


async def test_a_dropped_key_is_believed_no_more_and_not_learned_again(database: FakeDatabase) -> None:
    accounts = Accounts(K1, K2)
    known = cache(accounts, database)
    await known.key("k1")

    known.drop(["k1"])

    with pytest.raises(Unauthenticated):
        await known.key("k1")
    assert (await known.key("k2")).kid == "k2"
    assert accounts.asked == 2  # at once, although it had just been asked


async def test_a_key_that_stays_is_the_same_after_a_refetch(database: FakeDatabase, clock: SimpleNamespace) -> None:
    """What was verified by it stays remembered."""
    accounts = Accounts(K1)
    known = cache(accounts, database)
    before = await known.key("k1")
    accounts.answer = {"keys": [K1, K2]}
    clock.now += 31
    await known.key("k2")

    assert await known.key("k1") is before
