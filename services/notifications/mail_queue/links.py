"""Mails that bring a one-time link, which works only once however often its mail is sent."""

from collections.abc import Sequence
from datetime import timedelta

from services.notifications.mail_queue import MailQueue
from services.notifications.mailers import Mail
from services.notifications.models import QueuedMail
from services.notifications.repo import mails as repo
from services.notifications.schemas import OneTimeLink
from services.notifications.texts.mails import words_of
from shared.db import Session
from shared.db.base import utcnow


class LinkQueue(MailQueue[QueuedMail]):
    def _attempts(self, due: QueuedMail) -> int:
        return due.attempts

    def _named(self, due: QueuedMail) -> dict[str, str]:
        return {"mail_id": str(due.id), "kind": due.kind}

    async def _lease(self, session: Session, lease: timedelta, limit: int) -> Sequence[QueuedMail]:
        return await repo.lease_mails(session, lease, limit)

    async def _compose(self, due: QueuedMail) -> Mail | None:
        """None where the link is used, has ended, or is nobody's."""
        answer = await self._internal.find("accounts", f"/internal/one-time-links/{due.id}/")
        if answer is None:
            return None
        link = OneTimeLink.model_validate(answer)
        subject, text = words_of(
            link.purpose, link.language, full_name=link.full_name, url=link.url, lifetime=link.ends_at - utcnow()
        )
        return Mail(link.email, subject, text)

    async def _done(self, session: Session, due: QueuedMail, *, mailed: bool) -> None:
        await repo.delete_mail(session, due.id)

    async def _postpone(self, session: Session, due: QueuedMail, delay: timedelta) -> None:
        await repo.postpone_mail(session, due, delay)

    async def _give_up(self, session: Session, due: QueuedMail) -> None:
        await repo.delete_mail(session, due.id)
