"""Mailers that only remember, and the settings of a service that mails."""

import asyncio
from typing import Any

from marketplace.registry import service_settings
from services.notifications.config import NotificationsSettings
from services.notifications.mailers import Mail
from tests.integration.conftest import SETTINGS


class Post:
    """Remembers what was sent; `failures` come first, one a mail."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.sent = [*failures], list[Mail]()

    async def send(self, mail: Mail) -> None:
        await asyncio.sleep(0)  # others have their turn, as with a real server
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(mail)

    @property
    def recipients(self) -> list[str]:
        return [mail.to for mail in self.sent]

    @property
    def subjects(self) -> list[str]:
        return [mail.subject for mail in self.sent]


class HangingPost(Post):
    """Sends, and never comes to an end of it."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = asyncio.Event()

    async def send(self, mail: Mail) -> None:
        await super().send(mail)
        self.sending.set()
        await asyncio.Event().wait()


def settings_of(databases: dict[str, str], **more: Any) -> NotificationsSettings:
    found = service_settings("notifications", **{**SETTINGS, **more}, database_url=databases["notifications"])
    assert isinstance(found, NotificationsSettings)
    return found
