"""When an instance is left alone, for how long, and how it is tried again."""

from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from gateway.breaker import Breaker, BreakerSettings
from gateway.pool import Instance, Pool, attempt
from shared.errors import Unavailable

SETTINGS = BreakerSettings(failures=5, pause=5, pause_max=30)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(SETTINGS, clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.failed(probe=breaker.begin())


def test_it_opens_on_the_fifth_failure_in_a_row(breaker: Breaker) -> None:
    fail(breaker, 4)
    assert not breaker.is_open
    fail(breaker)
    assert breaker.is_open
    assert breaker.tried_in == 5


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 4)
    breaker.succeeded()
    fail(breaker, 4)
    assert not breaker.is_open


def test_after_its_pause_it_lets_one_probe_through_and_a_success_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    clock.now += 5
    assert not breaker.is_open
    assert breaker.begin()
    assert breaker.is_open
    breaker.succeeded()
    assert not breaker.is_open
    assert not breaker.begin()


def test_each_failed_probe_doubles_the_pause_up_to_its_most(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    pauses = []
    for _ in range(4):
        clock.now += breaker.tried_in
        fail(breaker)
        pauses.append(breaker.tried_in)
    assert pauses == [10, 20, 30, 30]


def test_a_probe_that_was_given_up_leaves_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    clock.now += 5
    breaker.abandoned(probe=breaker.begin())
    assert not breaker.is_open


def test_what_was_begun_before_it_opened_does_not_prolong_it(breaker: Breaker, clock: Clock) -> None:
    late = breaker.begin()
    fail(breaker, 5)
    clock.now += 4
    breaker.failed(probe=late)
    assert breaker.tried_in == 1


def pool_of(*urls: str) -> Pool:
    return Pool("orders", urls, SETTINGS)


def test_instances_are_asked_in_turn() -> None:
    pool = pool_of("http://a", "http://b")
    assert [pool.choose("exchanges").url.host for _ in range(4)] == ["a", "b", "a", "b"]


def test_the_least_busy_instance_is_asked() -> None:
    pool = pool_of("http://a", "http://b", "http://c")
    pool.choose("exchanges").load["exchanges"] = 2
    pool.choose("exchanges").load["exchanges"] = 1
    assert [pool.choose("exchanges").url.host for _ in range(3)] == ["c", "c", "c"]


async def refused(_: Instance) -> None:
    raise ConnectionRefusedError


async def answered(_: Instance) -> None:
    return None


async def ask(instance: Instance, how: Callable[[Instance], Awaitable[None]]) -> None:
    await attempt(instance, "exchanges", how, lambda: False)


async def test_an_instance_that_failed_a_moment_ago_is_asked_only_where_there_is_no_other() -> None:
    pool = pool_of("http://a", "http://b")
    a = pool.choose("exchanges")
    with pytest.raises(ConnectionError):
        await ask(a, refused)
    assert {pool.choose("exchanges").url.host for _ in range(4)} == {"b"}
    alone = pool_of("http://a")
    fail(alone.choose("exchanges").breaker)
    assert alone.choose("exchanges").url.host == "a"


def test_while_all_are_open_it_is_503_and_says_when_to_come_again() -> None:
    pool = pool_of("http://a", "http://b")
    for _ in range(2):
        fail(pool.choose("exchanges").breaker, 5)
    with pytest.raises(Unavailable) as refused:
        pool.choose("exchanges")
    assert refused.value.headers == {"Retry-After": "5"}


async def test_an_attempt_that_failed_is_no_load_any_more() -> None:
    a = pool_of("http://a").choose("exchanges")
    await ask(a, answered)
    with pytest.raises(ConnectionError):
        await ask(a, refused)
    assert a.load["exchanges"] == 1


async def test_prometheus_sees_whose_breaker_is_open() -> None:
    pool = pool_of("http://well", "http://ill")
    _, ill = pool.choose("exchanges"), pool.choose("exchanges")
    fail(ill.breaker, SETTINGS.failures)

    def is_open(address: str) -> float | None:
        return REGISTRY.get_sample_value("marketplace_breaker_open", {"upstream": "orders", "address": address})

    assert (is_open("http://well"), is_open("http://ill")) == (0, 1)
