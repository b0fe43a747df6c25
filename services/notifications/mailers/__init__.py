"""Whoever carries a mail away: a small port, and one file a way."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Protocol

from shared.db.base import utcnow


@dataclass(frozen=True)
class Mail:
    """A mail as its reader sees it. Its repr holds neither address nor text: either may end up in a log."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    preferences: str | None = field(default=None, repr=False)
    """The page where its reader says that they want no more of the kind."""


class MailRefused(Exception):
    """It will never be taken, however often it is tried: there is no such mailbox."""


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Return once someone else answers for the mail. Raises `MailRefused`, or any other error where another try
        may go better."""


def to_message(mail: Mail, sender: str) -> EmailMessage:
    """The mail as it travels. Raises `ValueError` where an address or the subject could break out of its header."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(utcnow())
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    if mail.preferences:
        message["List-Unsubscribe"] = f"<{mail.preferences}>"
    # As it is, and not encoded: the link can be read in a file. A server that takes no 8 bits gets it encoded.
    message.set_content(mail.text, cte="8bit")
    return message
