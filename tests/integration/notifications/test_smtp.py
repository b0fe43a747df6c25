"""Mails over real SMTP connections: encrypted where that is asked for, or not at all."""

import ssl
from pathlib import Path

import aiosmtplib
import pytest

from services.notifications.config import parse_smtp_url
from services.notifications.mailers import Mail, MailRefused
from services.notifications.mailers.smtp import SmtpMailer
from tests.integration.notifications.smtp_server import LOGIN, Inbox, self_signed, smtp_server

TEXT = "Здравствуйте!\n\nhttps://shop.example/reset?token=a.b=c\n"
MAIL = Mail("malika@example.com", "Сброс пароля", TEXT)
CREDENTIALS = "mailer%40example.com:p%40ss%2Fword"


def mailer(scheme: str, inbox: Inbox, credentials: str = "") -> SmtpMailer:
    at = f"{credentials}@" if credentials else ""
    return SmtpMailer(parse_smtp_url(f"{scheme}://{at}127.0.0.1:{inbox.port}"), "Marketplace <no-reply@example.com>")


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate that this machine trusts during the test."""
    context, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return context


def assert_it_arrived(inbox: Inbox) -> None:
    (envelope,), (message,) = inbox.envelopes, inbox.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@example.com", ["malika@example.com"])
    assert (message["Subject"], message["From"]) == ("Сброс пароля", "Marketplace <no-reply@example.com>")
    assert message.get_content().splitlines() == TEXT.splitlines()  # CRLF on the wire


async def test_a_mail_goes_over_starttls_after_a_login(trusted: ssl.SSLContext) -> None:
    with smtp_server(tls_context=trusted, require_starttls=True, auth_required=True) as inbox:
        await mailer("smtp", inbox, CREDENTIALS).send(MAIL)

    assert_it_arrived(inbox)
    assert inbox.logins == [LOGIN]


async def test_a_mail_goes_over_a_connection_that_is_encrypted_from_the_start(trusted: ssl.SSLContext) -> None:
    with smtp_server(ssl_context=trusted) as inbox:
        await mailer("smtps", inbox).send(MAIL)

    assert_it_arrived(inbox)


async def test_a_mail_goes_to_a_plain_relay_where_that_is_asked_for() -> None:
    with smtp_server() as inbox:
        await mailer("smtp+plain", inbox).send(MAIL)

    assert_it_arrived(inbox)


async def test_a_server_that_offers_no_starttls_gets_neither_login_nor_mail() -> None:
    with smtp_server(auth_require_tls=False) as inbox, pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
        await mailer("smtp", inbox, CREDENTIALS).send(MAIL)

    assert (inbox.logins, inbox.envelopes) == ([], [])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_server_that_nobody_vouches_for_gets_neither_login_nor_mail(scheme: str, tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    options = {"tls_context": context} if scheme == "smtp" else {"ssl_context": context}
    with smtp_server(**options) as inbox, pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
        await mailer(scheme, inbox, CREDENTIALS).send(MAIL)

    assert (inbox.logins, inbox.envelopes) == ([], [])


async def test_a_wrong_password_sends_nothing(trusted: ssl.SSLContext) -> None:
    with smtp_server(tls_context=trusted, auth_required=True) as inbox:
        wrong = mailer("smtp", inbox, "mailer%40example.com:wrong")
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await wrong.send(MAIL)

    assert inbox.envelopes == []


async def test_a_server_that_takes_no_eight_bits_gets_the_same_text_encoded() -> None:
    with smtp_server(Inbox(eight_bits=False)) as inbox:
        await mailer("smtp+plain", inbox).send(MAIL)

    assert inbox.envelopes[0].content.isascii()
    assert_it_arrived(inbox)


async def test_a_mailbox_that_does_not_exist_is_told_from_one_that_is_busy() -> None:
    with smtp_server(Inbox(answers=["550 No such user", "451 Later, please"])) as inbox:
        with pytest.raises(MailRefused):
            await mailer("smtp+plain", inbox).send(MAIL)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await mailer("smtp+plain", inbox).send(MAIL)

    assert inbox.envelopes == []
