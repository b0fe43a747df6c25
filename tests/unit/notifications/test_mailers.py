"""How a mail leaves, and by which way."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.notifications.app import choose_mailer
from services.notifications.config import NotificationsSettings, SmtpServer, parse_smtp_url
from services.notifications.mailers import Mail, to_message
from services.notifications.mailers.folder import FolderMailer
from services.notifications.mailers.smtp import SmtpMailer

SENDER = "Service Marketplace <no-reply@example.com>"
MAIL = Mail("malika@example.com", "Сброс пароля", "Здравствуйте!\n\nhttps://shop.example/reset?token=a.b=c\n")
SAFE = {
    "env": "production",
    "database_url": "postgresql://notifications:kF8d2Lq@db/notifications",
    "rabbitmq_url": "amqp://marketplace:zP4m9Xw@mq/",
    "internal_secret": "q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc",
    "_env_file": None,
}


def settings(**more: Any) -> NotificationsSettings:
    return NotificationsSettings(**{**SAFE, **more})


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_URL", "SMTP_URL_FILE", "MAIL_FROM", "MAIL_DIR"):
        monkeypatch.delenv(name, raising=False)


async def written(folder: Path) -> list[EmailMessage]:
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    return [message_from_bytes(content, EmailMessage, policy=default) for content in files]


async def test_a_mail_becomes_a_file_that_a_mail_program_can_open(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "mails"
    await FolderMailer(folder, SENDER).send(MAIL)

    (message,) = await written(folder)
    assert (message["To"], message["From"], message["Subject"]) == ("malika@example.com", SENDER, "Сброс пароля")
    assert message.get_content() == MAIL.text
    assert message["Date"].datetime.tzinfo
    assert message["Message-ID"].endswith("@example.com>")


async def test_files_are_for_their_owner_stand_in_the_order_of_sending_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    mailer = FolderMailer(folder, SENDER)
    for number in range(5):
        await mailer.send(Mail("malika@example.com", str(number), "…\n"))

    assert [message["Subject"] for message in await written(folder)] == list("01234")
    assert {path.suffix for path in folder.iterdir()} == {".eml"}
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


async def test_a_link_can_be_read_in_the_file_as_it_is(tmp_path: Path) -> None:
    await FolderMailer(tmp_path / "mails", SENDER).send(MAIL)

    (path,) = (tmp_path / "mails").iterdir()
    assert "https://shop.example/reset?token=a.b=c" in path.read_text().splitlines()


@pytest.mark.parametrize(
    "mail",
    [
        Mail("malika@example.com\r\nBcc: all@example.com", "s", "t"),
        Mail("malika@example.com, all@example.com", "s", "t"),
        Mail("malika@example.com", "s\r\nBcc: all@example.com", "t"),
        Mail("malika@example.com", "s\nBcc: all@example.com", "t"),
    ],
)
def test_nothing_can_break_out_of_its_header(mail: Mail) -> None:
    with pytest.raises(Exception, match=r"(?i)header|address|linefeed|invalid"):
        to_message(mail, SENDER)


def test_a_mail_shows_neither_address_nor_text_in_a_log() -> None:
    assert repr(MAIL) == "Mail(subject='Сброс пароля')"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mx.example", SmtpServer("mx.example", 587, "starttls")),
        ("smtps://mx.example/", SmtpServer("mx.example", 465, "tls")),
        ("smtp+plain://mx.example", SmtpServer("mx.example", 25, "none")),
        ("smtp://mx.example:2525", SmtpServer("mx.example", 2525, "starttls")),
        ("smtps://[::1]:465", SmtpServer("::1", 465, "tls")),
        (
            "smtp://u%40a.example:p%3A%2F%40@mx.example",
            SmtpServer("mx.example", 587, "starttls", "u@a.example", "p:/@"),
        ),
    ],
)
def test_a_url_names_server_encryption_and_login(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server
    assert not server.password or server.password not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "mx.example",
        "http://mx.example",
        "smtp://",
        "smtp://user@mx.example",
        "smtp://:hushhush@mx.example",
        "smtp://user:hush/hush@mx.example",
        "smtp://user:hush?hush@mx.example",
        "smtp://user:hush#hush@mx.example",
        "smtp://mx.example:hushhush",
        "smtp://mx.example:99999",
        "smtp://[hushhush",
        "smtp://user:hushhush@mx.example/inbox",
    ],
)
def test_a_url_that_can_not_be_one_is_refused_at_start_without_being_shown(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(env="development", smtp_url=url)

    assert refused.value.errors()[0]["loc"] == ("smtp_url",)
    assert "hush" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("sender", ["", "Marketplace", "a@b\r\nBcc: c@d", "a@", "@b", "Marketplace <>"])
def test_a_sender_without_an_address_is_refused_at_start(sender: str) -> None:
    with pytest.raises(ValidationError):
        settings(env="development", mail_from=sender)


def test_a_server_is_used_where_one_is_named_and_its_password_is_not_shown() -> None:
    named = settings(smtp_url="smtps://user:hushhush@mx.example")
    with capture_logs() as logs:
        mailer = choose_mailer(named)

    assert isinstance(mailer, SmtpMailer)
    assert logs == []
    assert "hushhush" not in repr(named) + named.model_dump_json()


@pytest.mark.parametrize(("env", "warnings"), [("production", 1), ("development", 0)])
@pytest.mark.parametrize("url", [None, ""])
def test_without_a_server_mails_become_files_of_which_production_warns(
    env: str, warnings: int, url: str | None
) -> None:
    with capture_logs() as logs:
        mailer = choose_mailer(settings(env=env, smtp_url=url))

    assert isinstance(mailer, FolderMailer)
    assert [line["log_level"] for line in logs] == ["warning"] * warnings
