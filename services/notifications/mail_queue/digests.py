"""Mails that tell a user what is new: one for all there is, after a while, and not again soon."""

from collections.abc import Sequence
from datetime import timedelta

from services.notifications.domain import Channel, Type, is_on
from services.notifications.mail_queue import MailQueue
from services.notifications.mailers import Mail
from services.notifications.models import Mailbox
from services.notifications.repo import mails as repo
from services.notifications.repo import switched_off
from services.notifications.schemas import MailAddress
from services.notifications.texts.mails import News, digest
from shared.db import Session

LINES = 20


class DigestQueue(MailQueue[Mailbox]):
    def _attempts(self, due: Mailbox) -> int:
        return due.mail_attempts

    def _named(self, due: Mailbox) -> dict[str, str]:
        return {"user_id": str(due.user_id), "kind": "digest"}

    async def _lease(self, session: Session, lease: timedelta, limit: int) -> Sequence[Mailbox]:
        return await repo.lease_news(session, lease, limit)

    async def _compose(self, due: Mailbox) -> Mail | None:
        """None where all is read or no longer wanted by mail, or nobody with a confirmed address is there."""
        async with self._database.session() as session:
            off = (await switched_off(session, [due.user_id])).get(due.user_id, {})
            wanted = [kind for kind in Type if is_on(off, kind, Channel.LIVE) and is_on(off, kind, Channel.EMAIL)]
            rows, count = await repo.news_of(session, due, wanted, LINES)
        if not rows:
            return None
        answer = await self._internal.find("accounts", f"/internal/users/{due.user_id}/address/")
        if answer is None:
            return None
        to = MailAddress.model_validate(answer)
        news = [News(Type(row.type), row.data) for row in rows]
        subject, text, preferences = digest(
            news, count, to.language, full_name=to.full_name, public_url=self._settings.public_url
        )
        return Mail(to.email, subject, text, preferences)

    async def _done(self, session: Session, due: Mailbox, *, mailed: bool) -> None:
        pause = self._settings.email_interval if mailed else self._settings.email_delay
        await repo.news_told(session, due, pause=pause, mailed=mailed)

    async def _postpone(self, session: Session, due: Mailbox, delay: timedelta) -> None:
        await repo.postpone_news(session, due, delay)

    async def _give_up(self, session: Session, due: Mailbox) -> None:
        await repo.give_news_up(session, due)
