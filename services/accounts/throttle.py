"""How often whom: limits of calls, and the delay after failed logins, kept in the database for all instances."""

import asyncio
import hashlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from services.accounts.domain import FREE_FAILURES
from services.accounts.repo import throttles as repo
from shared.db import Database, Session
from shared.errors import TooManyRequests

AT_ONCE = 2
"""Operations under way: a flood from one address waits for one row, and must not do so on all connections."""
STEP = 1000
"""Rows that one transaction of the sweep deletes at most."""


@dataclass(frozen=True)
class Limit:
    """`count` calls in `per`, by whoever it is kept for."""

    name: str
    count: int
    per: timedelta


# Per address: by `address_key`.
LOGIN_PER_ADDRESS = Limit("login", 10, timedelta(minutes=1))
FAILED_LOGINS_PER_ADDRESS = Limit("failed-login", 20, timedelta(minutes=5))
REGISTER_PER_ADDRESS = Limit("register", 60, timedelta(minutes=1))
REFRESH_PER_ADDRESS = Limit("refresh", 60, timedelta(minutes=1))
LINK_PER_ADDRESS = Limit("link", 10, timedelta(minutes=1))
REFRESH_PER_SESSION = Limit("refresh-session", 20, timedelta(minutes=1))
"""By the id of the family."""
LINK_PER_ACCOUNT = Limit("link-account", 3, timedelta(hours=1))
"""Mails to one mailbox, by `account_key`."""


def address_key(address: str | None) -> str:
    """Whom limits mean by an address: IPv4 as it is, IPv6 by its /64, which one household or one attacker has whole.

    What is no address is "unknown". A key's key is itself.
    """
    try:
        ip = ipaddress.ip_address((address or "").strip())
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False).network_address
    return str(ip)


def account_key(email_key: str) -> str:
    """Who is meant by a normalised e-mail, known here or not: the tables of limits hold no mailbox."""
    return _email_hash(email_key).hex()


class Throttle:
    """Each operation is a short transaction of its own: a refusal rolls the request's back, and what it counted stays.

    Call it while the request's own transaction holds no connection: before its first statement, or after `release`.

    A limit is a leaky bucket as a meter: GCRA, the generic cell rate algorithm (ITU-T I.371, annex A). A bucket is one
    time, the one at which the next call would be due if all came evenly. A call is taken if that is not so far ahead
    that more than `count` have come at once, and moves it on by `per / count`.
    """

    def __init__(self, database: Database, scale: float) -> None:
        """`scale` multiplies every limit: `RATE_LIMIT_SCALE`."""
        self._database, self._scale = database, scale
        self._slots = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        async with self._slots, self._database.session() as session:
            yield session

    async def take(self, limit: Limit, who: str) -> None:
        """Count one call. Raise `TooManyRequests`, which counts nothing, where it is over the limit."""
        async with self._session() as session:
            await self.take_within(session, limit, who)

    async def take_within(self, session: Session, limit: Limit, who: str) -> None:
        """As `take`, in a transaction that is under way: what is counted is lost if it is rolled back."""
        interval, count = self._interval(limit), self._scaled(limit.count)
        wait = await repo.take(session, _key(limit, who), interval, tolerance=interval * (count - 1))
        if wait is not None:
            raise TooManyRequests("Too many requests: please wait a moment.", retry_after=wait)

    async def give_back(self, limit: Limit, who: str) -> None:
        """Undo one `take`."""
        async with self._session() as session:
            await self._give_back(session, limit, who)

    async def begin_login(self, email_key: str, address: str | None) -> None:
        """Count a login as failed before its password is looked at, so that of many at once no more are tried.

        Raise `TooManyRequests`, which counts nothing, where the address has failed too often, or while the account's
        delay runs. An e-mail that nobody has is treated as any other.
        """
        async with self._session() as session:
            await self.take_within(session, FAILED_LOGINS_PER_ADDRESS, address_key(address))
            wait = await repo.count_login(session, _email_hash(email_key), self._scaled(FREE_FAILURES))
            if wait is not None:
                raise TooManyRequests("Too many failed logins: please wait a moment.", retry_after=wait)

    async def login_succeeded(self, email_key: str, address: str | None) -> None:
        """Forget the account's failures, and that the address's login was counted as one."""
        async with self._session() as session:
            await self._give_back(session, FAILED_LOGINS_PER_ADDRESS, address_key(address))
            await repo.forget_failures(session, _email_hash(email_key))

    async def forget(self, session: Session, email_key: str) -> None:
        """Forget an account that is erased, in the transaction that erases it."""
        await repo.forget_failures(session, _email_hash(email_key))
        await repo.forget(session, _key(LINK_PER_ACCOUNT, account_key(email_key)))

    async def sweep(self) -> None:
        """Delete what says nothing any more."""
        for step in (repo.delete_idle_throttles, repo.delete_old_failures):
            while await self._delete(step) >= STEP:
                pass

    async def _give_back(self, session: Session, limit: Limit, who: str) -> None:
        await repo.give_back(session, _key(limit, who), self._interval(limit))

    async def _delete(self, step: Callable[[Session, int], Awaitable[int]]) -> int:
        async with self._session() as session:
            return await step(session, STEP)

    def _interval(self, limit: Limit) -> timedelta:
        return limit.per / self._scaled(limit.count)

    def _scaled(self, count: int) -> int:
        return max(1, round(count * self._scale))


def _key(limit: Limit, who: str) -> str:
    return f"{limit.name}:{who}"


def _email_hash(email_key: str) -> bytes:
    return hashlib.sha256(email_key.encode()).digest()
