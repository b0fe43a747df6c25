"""Mails through an SMTP server."""

import aiosmtplib

from services.notifications.config import SmtpServer
from services.notifications.mailers import Mail, MailRefused, to_message

PATIENCE = 10.0
"""Seconds that the server has for each of its answers."""


class SmtpMailer:
    """A connection for each mail. Certificates are verified; a server that should encrypt and does not gets nothing."""

    def __init__(self, server: SmtpServer, sender: str) -> None:
        self._server, self._sender = server, sender

    async def send(self, mail: Mail) -> None:
        server = self._server
        try:
            await aiosmtplib.send(
                to_message(mail, self._sender),
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=server.password,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                timeout=PATIENCE,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            if all(recipient.code >= 500 for recipient in refused.recipients):
                raise MailRefused from None  # its own text has the address in it
            raise
