"""The mails that have to go out, each sent at least once.

A row says only for whom a mail is and what for. Address and link are asked of accounts at the moment of sending,
outside any transaction, and kept nowhere. An instance that takes a row moves its `next_at` ahead, a lease: nobody else
takes it meanwhile. The row is deleted once the mail is handed over; where a process is killed between the two, the next
one sends the same mail again. Its link still works only once.
"""

import asyncio
from uuid import UUID

import structlog

from services.notifications import repo
from services.notifications.config import NotificationsSettings
from services.notifications.mailers import Mail, Mailer, MailRefused
from services.notifications.models import QueuedMail
from services.notifications.schemas import OneTimeLink
from services.notifications.texts import words_of
from shared.background import woken
from shared.db import Database
from shared.db.base import utcnow
from shared.http.internal import InternalClient

AT_ONCE = 4

log = structlog.get_logger("notifications")


class MailQueue:
    """Every instance of the service runs one; `SKIP LOCKED` shares the work."""

    def __init__(
        self, database: Database, internal: InternalClient, mailer: Mailer, settings: NotificationsSettings
    ) -> None:
        self._database, self._internal, self._mailer = database, internal, mailer
        self._poll, self._timeout = settings.mail_poll.total_seconds(), settings.mail_timeout.total_seconds()
        # Longer than an attempt can take, the end of a hanging connection included.
        self._lease, self._delays = 2 * settings.mail_timeout, settings.retry_delays
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
            await woken(self._work, self._poll)

    async def send_due(self) -> int:
        """Take a few mails that are due, and send them; returns how many were taken. Raises where the outcome of one
        can't be written down, which is then tried again when its lease ends."""
        async with self._database.session() as session:
            mails = await repo.lease_mails(session, self._lease, AT_ONCE)
        outcomes = await asyncio.gather(*map(self._attempt, mails), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(mails)

    async def _attempt(self, mail: QueuedMail) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                sent = await self._send(mail.id)
        except Exception as error:
            await self._postpone(mail, error)
        else:
            await self._forget(mail.id)
            log.info("mail_sent" if sent else "mail_is_obsolete", mail_id=str(mail.id), kind=mail.kind)

    async def _send(self, mail_id: UUID) -> bool:
        """False where there is nothing to send any more: the link is used, has ended, or is nobody's."""
        answer = await self._internal.find("accounts", f"/internal/one-time-links/{mail_id}/")
        if answer is None:
            return False
        link = OneTimeLink.model_validate(answer)
        subject, text = words_of(
            link.purpose, link.language, full_name=link.full_name, url=link.url, lifetime=link.ends_at - utcnow()
        )
        await self._mailer.send(Mail(link.email, subject, text))
        return True

    async def _postpone(self, mail: QueuedMail, error: Exception) -> None:
        """Keep the mail for another try, or give it up."""
        # Of the error no more than this: its text may hold the address, or what accounts answered.
        told = {"mail_id": str(mail.id), "kind": mail.kind, "attempts": mail.attempts, "error": type(error).__name__}
        if isinstance(error, MailRefused) or mail.attempts > len(self._delays):
            await self._forget(mail.id)
            log.error("mail_given_up", **told)
            return
        delay = self._delays[mail.attempts - 1]
        async with self._database.session() as session:
            await repo.postpone_mail(session, mail, delay)
        log.warning("mail_is_retried", **told, delay=delay.total_seconds())

    async def _forget(self, mail_id: UUID) -> None:
        async with self._database.session() as session:
            await repo.delete_mail(session, mail_id)
