"""The mails that have to go out, each sent at least once.

A row says only for whom a mail is and what for. The address is asked of accounts at the moment of sending, outside any
transaction, and kept nowhere. An instance that takes a row moves the time at which it is due ahead, a lease: nobody
else takes it meanwhile. Once the mail is handed over, the row says so; where a process is killed between the two, the
next one sends the same mail again.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from services.notifications.config import NotificationsSettings
from services.notifications.mailers import Mail, Mailer, MailRefused
from shared.background import woken
from shared.db import Database, Session
from shared.http.internal import InternalClient

AT_ONCE = 4

log = structlog.get_logger("notifications")


D = TypeVar("D")
"""A row that says of a mail that it is due."""


class MailQueue(ABC, Generic[D]):
    """One kind of mails. Every instance of the service runs one; `SKIP LOCKED` shares the work."""

    def __init__(
        self, database: Database, internal: InternalClient, mailer: Mailer, settings: NotificationsSettings
    ) -> None:
        self._database, self._internal, self._mailer, self._settings = database, internal, mailer, settings
        # Longer than an attempt can take, the end of a hanging connection included.
        self._lease_time = 2 * settings.mail_timeout
        self._work = asyncio.Event()

    def wake(self) -> None:
        """There is a mail to send: called after each commit that wrote one."""
        self._work.set()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            self._work.clear()
            try:
                while await self.send_due() == AT_ONCE:
                    pass
            except Exception as error:
                log.warning("mails_wait", error=repr(error))
            await woken(self._work, self._settings.mail_poll.total_seconds())

    async def send_due(self) -> int:
        """Take a few mails that are due, and send them; returns how many were taken. Raises where the outcome of one
        can't be written down, which is then tried again when its lease ends."""
        async with self._database.session() as session:
            taken = await self._lease(session, self._lease_time, AT_ONCE)
        outcomes = await asyncio.gather(*map(self._attempt, taken), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(taken)

    async def _attempt(self, due: D) -> None:
        try:
            async with asyncio.timeout(self._settings.mail_timeout.total_seconds()):
                if mail := await self._compose(due):
                    await self._mailer.send(mail)
        except Exception as error:
            await self._try_later(due, error)
        else:
            async with self._database.session() as session:
                await self._done(session, due, mailed=mail is not None)
            log.info("mail_sent" if mail else "mail_is_obsolete", **self._named(due))

    async def _try_later(self, due: D, error: Exception) -> None:
        """Keep the mail for another try, or give it up."""
        # Of the error no more than this: its text may hold the address, or what accounts answered.
        attempts, delays = self._attempts(due), self._settings.retry_delays
        told = {**self._named(due), "attempts": attempts, "error": type(error).__name__}
        if isinstance(error, MailRefused) or attempts > len(delays):
            async with self._database.session() as session:
                await self._give_up(session, due)
            log.error("mail_given_up", **told)
            return
        delay = delays[attempts - 1]
        async with self._database.session() as session:
            await self._postpone(session, due, delay)
        log.warning("mail_is_retried", **told, delay=delay.total_seconds())

    @abstractmethod
    def _attempts(self, due: D) -> int:
        """Begun so far, this one included."""

    @abstractmethod
    def _named(self, due: D) -> dict[str, str]:
        """For the log, which holds no address."""

    @abstractmethod
    async def _lease(self, session: Session, lease: timedelta, limit: int) -> Sequence[D]:
        """Begin an attempt at up to `limit` mails that are due."""

    @abstractmethod
    async def _compose(self, due: D) -> Mail | None:
        """None where there is nothing to send any more."""

    @abstractmethod
    async def _done(self, session: Session, due: D, *, mailed: bool) -> None: ...

    @abstractmethod
    async def _postpone(self, session: Session, due: D, delay: timedelta) -> None: ...

    @abstractmethod
    async def _give_up(self, session: Session, due: D) -> None: ...
