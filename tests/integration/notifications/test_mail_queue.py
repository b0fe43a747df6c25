"""A mail that is asked for goes out, whatever is away meanwhile, and from one of many instances."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, update
from sqlmodel import select
from structlog.testing import capture_logs

from services.notifications import events
from services.notifications.config import NotificationsSettings, SmtpServer
from services.notifications.mail_queue.links import LinkQueue
from services.notifications.mailers import Mailer, MailRefused
from services.notifications.mailers.smtp import SmtpMailer
from services.notifications.models import QueuedMail
from shared.contracts.accounts import EmailConfirmationRequested, PasswordResetRequested
from shared.db import Database
from shared.db.base import utcnow
from shared.http.internal import OwnerAway
from shared.ids import new_id
from tests.integration.notifications.post import HangingPost, Post, settings_of
from tests.integration.notifications.smtp_server import Inbox, smtp_server
from tests.support.process import free_port
from tests.support.waiting import eventually

Event = PasswordResetRequested | EmailConfirmationRequested


class Accounts:
    """Answers as accounts' `/internal/` does, of the links that it has; `away` so many times before."""

    def __init__(self, away: int = 0) -> None:
        self.away, self.asked = away, 0
        self.unknown: set[UUID] = set()

    async def find(self, target: str, path: str) -> dict[str, Any] | None:
        assert target == "accounts"
        request_id = path.removeprefix("/internal/one-time-links/").removesuffix("/")
        self.asked += 1
        if self.asked <= self.away:
            raise OwnerAway("away")
        if UUID(request_id) in self.unknown:
            return None
        return {
            "purpose": "reset_password",
            "email": f"{request_id}@example.com",
            "full_name": "Malika Saidova",
            "language": "en",
            "url": f"https://shop.example/reset?token=secret-{request_id}",
            "ends_at": (utcnow() + timedelta(minutes=30)).isoformat(),
        }


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    """The service's own, without mails of an earlier test."""
    database = Database(settings(databases))
    database.session_info["wake_mail_queue"] = lambda: None
    async with database.session() as session:
        await session.exec(delete(QueuedMail))
    yield database
    await database.close()


def settings(databases: dict[str, str], **more: Any) -> NotificationsSettings:
    return settings_of(databases, mail_poll="50ms", **more)


@pytest.fixture
def queue_of(database: Database, databases: dict[str, str]) -> Callable[..., LinkQueue]:
    """`queue_of(mailer, accounts, **settings)`: what one instance of the service runs."""

    def make(mailer: Mailer, accounts: Accounts | None = None, **more: Any) -> LinkQueue:
        internal: Any = accounts or Accounts()
        return LinkQueue(database, internal, mailer, settings(databases, **more))

    return make


QueueOf = Callable[..., LinkQueue]


async def ask_for_mails(database: Database, number: int = 1) -> list[str]:
    """Returns to whom they will go."""
    requests = [PasswordResetRequested(user_id=new_id(), request_id=new_id()) for _ in range(number)]
    async with database.session() as session:
        for request in requests:
            await events.mail_reset_link(session, request)
    return [f"{request.request_id}@example.com" for request in requests]


async def waiting(database: Database) -> int:
    async with database.session() as session:
        return (await session.exec(select(func.count()).select_from(QueuedMail))).one()


@asynccontextmanager
async def running(*queues: LinkQueue) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(queue.run()) for queue in queues]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_until_empty(database: Database, *queues: LinkQueue) -> None:
    async def empty() -> bool:
        return await waiting(database) == 0

    async with running(*queues):
        await eventually(empty)


async def let_the_lease_end(database: Database) -> None:
    async with database.session() as session:
        await session.exec(update(QueuedMail).values(next_at=func.now()))


async def test_a_request_becomes_a_mail_with_its_link(database: Database, queue_of: QueueOf) -> None:
    (to,) = await ask_for_mails(database)
    post = Post()

    await run_until_empty(database, queue_of(post))

    (mail,) = post.sent
    assert mail.to == to
    assert mail.subject == "Reset your password"
    assert f"https://shop.example/reset?token=secret-{to.removesuffix('@example.com')}" in mail.text


@pytest.mark.parametrize(
    ("handler", "kind", "event"),
    [
        (events.mail_reset_link, "reset_password", PasswordResetRequested),
        (events.mail_confirmation_link, "confirm_email", EmailConfirmationRequested),
    ],
)
async def test_a_request_that_comes_twice_is_queued_once_and_wakes_the_queue(
    database: Database, handler: Any, kind: str, event: type[Event]
) -> None:
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    database.session_info["wake_mail_queue"] = wake
    request = event(user_id=new_id(), request_id=new_id())
    for _ in range(2):
        async with database.session() as session:
            await handler(session, request)
            before_commit = woken
        assert woken == before_commit + 1

    async with database.session() as session:
        (queued,) = (await session.exec(select(QueuedMail))).all()
    assert (queued.id, queued.user_id, queued.kind) == (request.request_id, request.user_id, kind)


async def test_nothing_is_sent_where_accounts_knows_no_such_link(database: Database, queue_of: QueueOf) -> None:
    gone, alive = await ask_for_mails(database, 2)
    accounts, post = Accounts(), Post()
    accounts.unknown.add(UUID(gone.removesuffix("@example.com")))

    await run_until_empty(database, queue_of(post, accounts))

    assert post.recipients == [alive]


async def test_a_mail_waits_for_accounts(database: Database, queue_of: QueueOf) -> None:
    (to,) = await ask_for_mails(database)
    accounts, post = Accounts(away=3), Post()

    await run_until_empty(database, queue_of(post, accounts))

    assert post.recipients == [to]
    assert accounts.asked == 4


async def test_a_mail_waits_for_a_server_that_fails(database: Database, queue_of: QueueOf) -> None:
    (to,) = await ask_for_mails(database)
    with smtp_server(Inbox(answers=["451 Later, please", "421 Even later"])) as inbox:
        mailer = SmtpMailer(SmtpServer("127.0.0.1", inbox.port, "none"), "no-reply@example.com")
        await run_until_empty(database, queue_of(mailer))

    assert [envelope.rcpt_tos for envelope in inbox.envelopes] == [[to]]


async def test_a_mail_waits_for_a_server_that_is_down(database: Database, queue_of: QueueOf) -> None:
    (to,) = await ask_for_mails(database)
    inbox = Inbox(port=free_port())
    mailer = SmtpMailer(SmtpServer("127.0.0.1", inbox.port, "none"), "no-reply@example.com")

    async def tried() -> bool:
        async with database.session() as session:
            return (await session.exec(select(QueuedMail.attempts))).one() >= 2

    async with running(queue_of(mailer, retry_delays=",".join(["50ms"] * 400))):
        await eventually(tried)
        with smtp_server(inbox):

            async def arrived() -> bool:
                return bool(inbox.envelopes) and await waiting(database) == 0

            await eventually(arrived)

    assert [envelope.rcpt_tos for envelope in inbox.envelopes] == [[to]]


async def test_a_mail_that_never_goes_out_is_given_up_and_no_log_says_to_whom(
    database: Database, queue_of: QueueOf
) -> None:
    (to,) = await ask_for_mails(database)
    post = Post(*(OSError(f"{to} can't be reached") for _ in range(9)))

    with capture_logs() as logs:
        await run_until_empty(database, queue_of(post))

    assert [line["event"] for line in logs] == ["mail_is_retried"] * 3 + ["mail_given_up"]
    assert [line["delay"] for line in logs[:3]] == [0.02, 0.04, 0.08]
    assert (logs[-1]["log_level"], logs[-1]["attempts"], logs[-1]["error"]) == ("error", 4, "OSError")
    assert to not in str(logs)
    assert "token" not in str(logs)


async def test_a_mail_to_a_mailbox_that_does_not_exist_is_given_up_at_once(
    database: Database, queue_of: QueueOf
) -> None:
    await ask_for_mails(database)
    post = Post(MailRefused())

    await run_until_empty(database, queue_of(post))

    assert post.sent == []


async def test_an_attempt_that_hangs_ends_and_the_next_one_sends(database: Database, queue_of: QueueOf) -> None:
    (to,) = await ask_for_mails(database)
    assert await queue_of(HangingPost(), mail_timeout="200ms").send_due() == 1
    post = Post()

    await run_until_empty(database, queue_of(post))

    assert post.recipients == [to]


async def test_while_one_instance_sends_a_mail_no_other_takes_it(database: Database, queue_of: QueueOf) -> None:
    (to,) = await ask_for_mails(database)
    first, second = HangingPost(), Post()
    async with running(queue_of(first)):
        await first.sending.wait()
        assert await queue_of(second).send_due() == 0

    assert (first.recipients, second.recipients) == ([to], [])


async def test_many_mails_and_two_instances_send_each_once(database: Database, queue_of: QueueOf) -> None:
    everyone = await ask_for_mails(database, 40)
    post = Post()

    await run_until_empty(database, queue_of(post), queue_of(post))

    assert sorted(post.recipients) == sorted(everyone)


async def test_a_kill_between_sending_and_noting_it_sends_once_more_and_no_oftener(
    database: Database, queue_of: QueueOf
) -> None:
    (to,) = await ask_for_mails(database)
    killed, after = HangingPost(), Post()
    async with running(queue_of(killed)):
        await killed.sending.wait()
    assert await queue_of(after).send_due() == 0

    await let_the_lease_end(database)
    await run_until_empty(database, queue_of(after))

    assert (killed.recipients, after.recipients) == ([to], [to])


async def test_an_instance_that_comes_late_does_not_take_the_lease_of_the_next(
    database: Database, queue_of: QueueOf
) -> None:
    (to,) = await ask_for_mails(database)
    late, next_one, third = HangingPost(), HangingPost(), Post()
    late_task = asyncio.create_task(queue_of(late, mail_timeout="500ms", retry_delays="0s").send_due())
    await late.sending.wait()
    await let_the_lease_end(database)
    async with running(queue_of(next_one)):
        await next_one.sending.wait()
        await late_task
        assert await queue_of(third).send_due() == 0

    assert (late.recipients, next_one.recipients, third.recipients) == ([to], [to], [])
