from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator

from shared.config import Duration, ServiceSettings

_SMTP: dict[str, tuple[Literal["starttls", "tls", "none"], int]] = {
    "smtp": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp+plain": ("none", 25),
}
"""Scheme → how the connection is encrypted, usual port."""


@dataclass(frozen=True)
class SmtpServer:
    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_url(url: str) -> SmtpServer:
    """The server that `SMTP_URL` names; signs such as `@` in name and password are percent-encoded.

    Raises `ValueError`, which holds nothing of the URL.
    """
    try:
        return _parsed(url)
    except (KeyError, ValueError):
        usage = "must be smtp://[user:password@]host[:port], or the same with smtps:// or smtp+plain://"
        raise ValueError(usage) from None


def _parsed(url: str) -> SmtpServer:
    parts = urlsplit(url)
    security, usual_port = _SMTP[parts.scheme]
    # What stands behind the host is the rest of a password whose `/`, `?` or `#` was not encoded.
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError
    if (not parts.username) != (not parts.password):
        raise ValueError
    login = (_decoded(parts.username), _decoded(parts.password))
    return SmtpServer(parts.hostname, parts.port or usual_port, security, *login)


def _decoded(part: str | None) -> str | None:
    return unquote(part) if part else None


class NotificationsSettings(ServiceSettings):
    """`SOCKET_SWEEP` is how often all sockets are looked after for what a lost wake-up kept from them. One that takes
    nothing for `SOCKET_SEND_TIMEOUT`, or falls `SOCKET_BACKLOG` notifications behind, is too slow.

    Mails go to `SMTP_URL`: `smtp://` insists on STARTTLS, `smtps://` is encrypted from the start, `smtp+plain://` is
    not at all. Without it they become files in `MAIL_DIR`.
    """

    socket_auth_timeout: Duration = timedelta(seconds=5)
    socket_sweep: Duration = timedelta(seconds=5)
    socket_send_timeout: Duration = timedelta(seconds=10)
    socket_backlog: int = Field(default=500, ge=1)
    sockets_per_user: int = Field(default=10, ge=1)
    """On one instance."""
    socket_ticket_ttl: Duration = timedelta(seconds=30)

    smtp_url: SecretStr | None = None
    mail_from: str = "Service Marketplace <no-reply@localhost>"
    mail_dir: Path = Path("var/mails")
    email_delay: Duration = timedelta(minutes=2)
    """How long a notification waits for more, and for being read, before a mail tells of it."""
    email_interval: Duration = timedelta(minutes=15)
    """Between two such mails to the same user, at least."""
    mail_poll: Duration = timedelta(seconds=1)
    mail_timeout: Duration = timedelta(seconds=30)
    """For looking up what goes into one mail, and sending it. No other instance takes it up within twice that time."""

    @property
    def smtp_server(self) -> SmtpServer | None:
        return parse_smtp_url(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            parse_smtp_url(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_address(cls, sender: str) -> str:
        if not sender.isprintable() or not all(parseaddr(sender)[1].partition("@")):
            raise ValueError("must be an address, such as Service Marketplace <no-reply@example.com>")
        return sender
