"""How many users were here of late, in memory that does not grow with them."""

import pytest

from gateway.active_users import ActiveUsers


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_user_who_asks_often_is_one() -> None:
    active = ActiveUsers(Clock())

    for user in ("a", "b", "a", "a"):
        active.saw(user)

    assert (active.count("5m"), active.count("24h")) == (2, 2)


@pytest.mark.parametrize("users", [100, 5_000, 12_000, 60_000])
def test_many_are_counted_to_a_few_per_cent(users: int) -> None:
    active = ActiveUsers(Clock())

    for number in range(users):
        active.saw(f"user-{number}")

    assert active.count("24h") == pytest.approx(users, rel=0.05)  # three standard errors


def test_who_was_seen_in_several_slots_is_one_and_whoever_left_is_forgotten() -> None:
    clock = Clock()
    active = ActiveUsers(clock)
    active.saw("leaves")
    active.saw("stays")
    clock.now += 200
    active.saw("stays")
    assert active.count("5m") == 2

    clock.now += 250
    assert (active.count("5m"), active.count("24h")) == (1, 2)

    clock.now += 26 * 3600
    assert (active.count("5m"), active.count("24h")) == (0, 0)


def test_days_of_traffic_keep_one_days_slots() -> None:
    clock = Clock()
    active = ActiveUsers(clock)

    for _ in range(100):
        active.saw("a")
        clock.now += 3600

    assert {window: len(slots) for window, slots in active._slots.items()} == {"5m": 1, "24h": 25}
