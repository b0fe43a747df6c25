"""E-mail addresses that mean the same, and how long a login lives."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.domain import REFRESH_GRACE, normalise_email, refresh_ends_at

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "spelling",
    [
        "ali@example.com",
        "ALI@Example.COM",
        "  ali@example.com\n",
        "\u00a0ali@example.com",  # a space that does not break
        "ａｌｉ@example.com",  # letters of full width
        "ali@example．com",
    ],
)
def test_spellings_of_one_mailbox_become_one(spelling: str) -> None:
    assert normalise_email(spelling) == "ali@example.com"


def test_a_composed_letter_and_its_parts_are_the_same_mailbox() -> None:
    assert normalise_email("andre\u0301@example.com") == normalise_email("ANDRÉ@example.com") == "andré@example.com"


def test_different_mailboxes_stay_different() -> None:
    addresses = ["ali@example.com", "ali+shop@example.com", "a.li@example.com", "ali@example.org", "али@example.com"]
    assert len({normalise_email(address) for address in addresses}) == len(addresses)


def test_a_refresh_token_lives_14_idle_days() -> None:
    assert refresh_ends_at(BEGAN, BEGAN) == BEGAN + timedelta(days=14)
    assert refresh_ends_at(BEGAN + timedelta(days=46), BEGAN) == BEGAN + timedelta(days=60)


def test_a_family_of_refresh_tokens_never_lives_past_60_days() -> None:
    ages = random.Random(7)
    for _ in range(500):
        now = BEGAN + timedelta(days=ages.uniform(0, 60))
        ends_at = refresh_ends_at(now, BEGAN)
        assert now <= ends_at <= BEGAN + timedelta(days=60)


def test_a_request_that_is_sent_twice_has_10_seconds() -> None:
    assert timedelta(seconds=10) == REFRESH_GRACE
