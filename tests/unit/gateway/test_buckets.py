"""A bucket gives its quota at once and then as it fills; and many buckets take no more memory than some."""

import pytest

from gateway.buckets import Buckets
from tests.unit.gateway.asgi import Clock


def spend(buckets: Buckets, key: str, times: int = 1) -> int:
    """How many of so many tokens were there."""
    taken = 0
    for _ in range(times):
        if not buckets.wait(key):
            buckets.take(key)
            taken += 1
    return taken


@pytest.mark.parametrize("quota", [1, 7, 60, 600, 1000])
def test_a_full_bucket_gives_its_quota_and_no_more(quota: int) -> None:
    assert spend(Buckets("x", quota, clock=Clock()), "a", quota + 5) == quota


def test_what_was_taken_comes_back_with_time() -> None:
    clock = Clock()
    buckets = Buckets("x", 60, clock=clock)
    spend(buckets, "a", 60)

    assert buckets.wait("a") == pytest.approx(1)
    clock.now += 1
    assert spend(buckets, "a", 5) == 1
    clock.now += 3600
    assert spend(buckets, "a", 100) == 60


def test_callers_do_not_spend_each_others_tokens() -> None:
    buckets = Buckets("x", 2, clock=Clock())
    assert (spend(buckets, "a", 3), spend(buckets, "b", 3)) == (2, 2)


def test_a_bucket_says_what_is_left_and_when_all_is_there_again() -> None:
    clock = Clock()
    buckets = Buckets("user", 300, clock=clock)
    assert buckets.description == '"user";q=300;w=60'
    assert buckets.state("a") == '"user";r=300;t=0'
    spend(buckets, "a")
    assert buckets.state("a") == '"user";r=299;t=1'
    spend(buckets, "a", 400)
    assert buckets.state("a") == '"user";r=0;t=60'
    clock.now += 30
    assert buckets.state("a") == '"user";r=150;t=30'


def test_full_buckets_are_forgotten_first() -> None:
    clock = Clock()
    buckets = Buckets("x", 60, clock=clock, capacity=8)
    for key in "abcdefgh":
        spend(buckets, key)
    clock.now += 2  # all are full again
    spend(buckets, "i", 60)
    assert len(buckets) == 1
    assert spend(buckets, "i") == 0


def test_no_crowd_of_strangers_fills_an_empty_bucket_nor_the_memory() -> None:
    clock = Clock()
    buckets = Buckets("x", 60, clock=clock, capacity=64)
    spend(buckets, "culprit", 60)
    for stranger in range(10_000):
        clock.now += 1e-6
        spend(buckets, f"stranger {stranger}")
        assert len(buckets) <= 64
    assert spend(buckets, "culprit") == 0
