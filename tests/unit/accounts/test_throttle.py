"""The rules of limits that need no database: whom they mean, and how long a login waits."""

from datetime import timedelta

import pytest

from services.accounts.domain import login_delay
from services.accounts.throttle import account_key, address_key


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60), (10**9, 60)],
)
def test_after_5_failures_the_delay_doubles_from_1_to_60_seconds(failures: int, seconds: int) -> None:
    assert login_delay(failures) == timedelta(seconds=seconds)


def test_the_delay_begins_later_where_limits_are_raised() -> None:
    assert login_delay(499, free=500) == timedelta()
    assert login_delay(501, free=500) == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        (None, "unknown"),
        ("", "unknown"),
        ("203.0.113.9:4711", "unknown"),
        ("203.0.113.999", "unknown"),
        ("no address\x00", "unknown"),
    ],
)
def test_an_address_is_one_of_ipv4_or_a_64_of_ipv6_and_its_key_stays_the_same(address: str | None, key: str) -> None:
    assert address_key(address) == key
    assert address_key(key) == key


def test_neighbouring_networks_are_not_the_same() -> None:
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")


def test_the_key_of_an_account_does_not_show_its_address() -> None:
    assert account_key("ali@example.com") != account_key("ali@example.org")
    assert "ali" not in account_key("ali@example.com")
