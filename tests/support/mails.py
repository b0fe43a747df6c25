"""The folder that mails land in, read as their receivers would."""

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

from tests.support.waiting import eventually


class MailFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[Path, tuple[str, EmailMessage]] = {}

    def to(self, address: str) -> list[EmailMessage]:
        """What that address got, oldest first."""
        for path in sorted(self.path.glob("*.eml")):
            # Once each: there are thousands, and whoever waits for one looks again and again.
            if path not in self._read:
                mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                self._read[path] = (mail["To"], mail)
        return [mail for to, mail in self._read.values() if to == address]

    async def tokens(self, address: str, page: str, count: int = 1) -> list[str]:
        """The tokens of the links to that page of the front end, oldest first, once there are `count`."""

        def found() -> list[str]:
            texts = [mail.get_content() for mail in self.to(address)]
            return [match[1] for text in texts for match in re.finditer(rf"/{page}#token=(\S+)", text)]

        async def there() -> bool:
            return len(found()) >= count

        await eventually(there)
        return found()
