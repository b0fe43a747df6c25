"""Rules of accounts that need nothing but themselves."""

import unicodedata
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum


class Role(StrEnum):
    CLIENT = "client"
    WORKER = "worker"
    ADMIN = "admin"


class Language(StrEnum):
    UZ = "uz"
    RU = "ru"
    EN = "en"


REFRESH_IDLE = timedelta(days=14)
REFRESH_TOTAL = timedelta(days=60)
REFRESH_GRACE = timedelta(seconds=10)

FREE_FAILURES = 5
"""Failed logins in a row before the next one has to wait."""
FAILURES_KEPT = timedelta(minutes=15)
"""After that long without another one they are forgotten."""
LONGEST_LOGIN_DELAY = timedelta(seconds=60)


class Purpose(StrEnum):
    """What a mailed link is good for."""

    RESET_PASSWORD = "reset_password"  # noqa: S105
    CONFIRM_EMAIL = "confirm_email"


LINK_LIVES = {Purpose.RESET_PASSWORD: timedelta(minutes=30), Purpose.CONFIRM_EMAIL: timedelta(days=3)}
LINK_PAGES = {Purpose.RESET_PASSWORD: "reset-password", Purpose.CONFIRM_EMAIL: "confirm-email"}
"""Pages of the front end, below `PUBLIC_URL`."""


DEMO_PASSWORD = "marketplace-demo"  # noqa: S105 - everybody knows it, and production refuses it


def normalise_email(address: str) -> str:
    """One spelling for all that reach the same mailbox in practice: composed, without case, without outer space, and
    an internationalised domain in its own letters (RFC 5891), as `email-validator` gives it."""
    key = unicodedata.normalize("NFKC", address).strip().casefold()
    mailbox, at, domain = key.rpartition("@")
    if "xn--" in domain:
        with suppress(UnicodeError):
            domain = domain.encode("ascii").decode("idna")
    return mailbox + at + domain


def refresh_ends_at(now: datetime, family_began_at: datetime) -> datetime:
    """A refresh token lives until it idles too long, and its family never past its total age."""
    return min(now + REFRESH_IDLE, family_began_at + REFRESH_TOTAL)


def login_delay(failures: int, free: int = FREE_FAILURES) -> timedelta:
    """How long after the last of so many failed logins in a row the next one is taken: 1 s, doubling, never a lock-out.

    `free` is the number of failures from which on there is a delay.
    """
    if failures < free:
        return timedelta()
    doublings = min(failures - free, 6)  # 64 s: more than the longest
    return min(timedelta(seconds=2**doublings), LONGEST_LOGIN_DELAY)
