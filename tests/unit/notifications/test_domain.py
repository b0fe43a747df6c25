"""Which channels are on, and how fast a client may talk."""

import pytest

from services.notifications.domain import Channel, Pace, Type, is_on
from services.notifications.schemas import Channels, Preferences


@pytest.mark.parametrize("kind", Type)
@pytest.mark.parametrize("channel", Channel)
def test_what_nobody_switched_off_is_on(kind: Type, channel: Channel) -> None:
    assert is_on({}, kind, channel)


def test_one_channel_of_one_type_can_be_off() -> None:
    off = {"order_created": ["email"]}

    assert is_on(off, Type.ORDER_CREATED, Channel.LIVE)
    assert not is_on(off, Type.ORDER_CREATED, Channel.EMAIL)
    assert is_on(off, Type.ORDER_ASSIGNED, Channel.EMAIL)


@pytest.mark.parametrize("off", [{}, {"order_created": ["live"]}, {"payment_failed": ["live", "email"]}], ids=str)
def test_preferences_are_kept_as_what_is_off(off: dict[str, list[str]]) -> None:
    assert Preferences.of(off).off == off
    assert Preferences.of(off).preferences.keys() == {*Type}


def test_a_channel_that_is_not_named_is_on() -> None:
    assert Preferences(preferences={Type.ORDER_CREATED: Channels(email=False)}).off == {"order_created": ["email"]}


def test_ten_messages_a_second_are_allowed_and_an_eleventh_is_not() -> None:
    pace = Pace(10)

    assert [pace.allows(5 + n / 100) for n in range(11)] == [True] * 10 + [False]


def test_each_second_begins_anew() -> None:
    pace = Pace(10)

    assert all(pace.allows(second + n / 20) for second in range(3) for n in range(10))
