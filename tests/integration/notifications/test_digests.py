"""A mail tells what is new: once, not at once, not often, and only to who wants it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col, func, select
from structlog.testing import capture_logs

from services.notifications import repo, service
from services.notifications.config import NotificationsSettings
from services.notifications.domain import Channel, MailPace, Type
from services.notifications.mail_queue.digests import DigestQueue
from services.notifications.mailers import Mail, Mailer, MailRefused
from services.notifications.models import Mailbox, Notification
from services.notifications.repo import mails
from services.notifications.service import Notice
from shared.contracts.accounts import Language, UserState
from shared.db import Database
from shared.http.internal import OwnerAway
from shared.ids import new_id
from tests.integration.notifications.mailboxes import DATA
from tests.integration.notifications.post import HangingPost, Post, settings_of
from tests.support.waiting import eventually

NOW = timedelta(0)
HOUR = timedelta(hours=1)


class Accounts:
    """Answers as accounts' `/internal/` does, of all but the `unknown`; `away` so many times before."""

    def __init__(self, away: int = 0, language: Language = "ru") -> None:
        self.away, self.asked, self.language = away, 0, language
        self.unknown: set[UUID] = set()

    async def find(self, target: str, path: str) -> dict[str, Any] | None:
        assert target == "accounts"
        user_id = path.removeprefix("/internal/users/").removesuffix("/address/")
        self.asked += 1
        if self.asked <= self.away:
            raise OwnerAway("away")
        if UUID(user_id) in self.unknown:
            return None
        return {"email": f"{user_id}@example.com", "full_name": "Малика", "language": self.language}


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    """The service's own, in which no mail is due, and each will be at once."""
    database = Database(settings(databases))
    database.session_info |= {"wake_sockets": lambda *_: None, "mail_pace": MailPace(NOW, NOW)}
    async with database.session() as session:
        await session.exec(update(Mailbox).values(mail_due_at=None))
    yield database
    await database.close()


def settings(databases: dict[str, str], **more: Any) -> NotificationsSettings:
    return settings_of(databases, **{"public_url": "https://shop.example", **more})


QueueOf = Callable[..., DigestQueue]


@pytest.fixture
def queue_of(database: Database, databases: dict[str, str]) -> QueueOf:
    """`queue_of(mailer, accounts, **settings)`: what one instance of the service runs."""

    def make(mailer: Mailer, accounts: Accounts | None = None, **more: Any) -> DigestQueue:
        internal: Any = accounts or Accounts()
        return DigestQueue(database, internal, mailer, settings(databases, **more))

    return make


async def tell(database: Database, *users: UUID, kind: Type = Type.ORDER_ASSIGNED, times: int = 1) -> None:
    """Notify each of the users so often, in one transaction."""
    async with database.session() as session:
        await service.notify(session, [Notice(kind, DATA, users)] * times)


async def mailbox(database: Database, user_id: UUID) -> Mailbox:
    async with database.session() as session:
        return await session.get_one(Mailbox, user_id)


async def is_due(database: Database, user_id: UUID) -> bool:
    return (await mailbox(database, user_id)).mail_due_at is not None


async def due_in(database: Database, user_id: UUID) -> timedelta:
    """From the database's now."""
    async with database.session() as session:
        waits = select(Mailbox.mail_due_at - func.now()).where(Mailbox.user_id == user_id)  # type: ignore[operator]
        found: timedelta = (await session.exec(waits)).one()
        return found


async def let_it_be_due(database: Database) -> None:
    waiting = col(Mailbox.mail_due_at).is_not(None)
    async with database.session() as session:
        await session.exec(update(Mailbox).where(waiting).values(mail_due_at=func.now()))


async def read(database: Database, user_id: UUID, seq: int) -> None:
    async with database.session() as session:
        one = select(Notification.id).where(Notification.user_id == user_id, Notification.seq == seq)
        await service.mark_read(session, user_id, (await session.exec(one)).one())


async def switch_off(database: Database, user_id: UUID, kind: Type, *channels: Channel) -> None:
    async with database.session() as session:
        await repo.switch_off(session, user_id, {kind: channels})


@asynccontextmanager
async def sending(queue: DigestQueue) -> AsyncIterator[None]:
    """The queue is at one turn, and killed at the end."""
    turn = asyncio.create_task(queue.send_due())
    yield
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)


async def test_five_events_make_one_mail_that_tells_of_five(database: Database, queue_of: QueueOf) -> None:
    user_id, post = new_id(), Post()
    await tell(database, user_id, times=3)
    await tell(database, user_id, kind=Type.PAYMENT_SUCCESS, times=2)

    assert await queue_of(post).send_due() == 1

    (mail,) = post.sent
    assert (mail.to, mail.subject) == (f"{user_id}@example.com", "5 новых уведомлений")
    assert mail.text.startswith("Здравствуйте, Малика!\n")
    assert mail.text.count("\n- Заказ 2026-000042 принят") == 3
    assert mail.text.count("\n- Заказ 2026-000042 оплачен") == 2
    assert not await is_due(database, user_id)


async def test_one_event_makes_a_mail_with_its_title(database: Database, queue_of: QueueOf) -> None:
    post = Post()
    await tell(database, new_id())

    await queue_of(post, Accounts(language="en")).send_due()

    assert post.subjects == ["Order 2026-000042 is accepted"]
    assert "https://shop.example/notifications\n" in post.sent[0].text
    assert post.sent[0].preferences == "https://shop.example/notifications/preferences"


async def test_of_many_a_mail_names_the_last_ones(database: Database, queue_of: QueueOf) -> None:
    user_id, post = new_id(), Post()
    await tell(database, user_id, kind=Type.PAYMENT_FAILED, times=3)
    await tell(database, user_id, times=20)

    await queue_of(post, Accounts(language="en")).send_due()

    assert post.subjects == ["23 new notifications"]
    assert post.sent[0].text.count("\n- Order 2026-000042 is accepted") == 20
    assert "\nand 3 more\n" in post.sent[0].text


async def test_what_is_read_meanwhile_is_left_out(database: Database, queue_of: QueueOf) -> None:
    user_id, post = new_id(), Post()
    await tell(database, user_id, times=2)
    await tell(database, user_id, kind=Type.PAYMENT_FAILED)
    await read(database, user_id, 1)
    await read(database, user_id, 2)

    await queue_of(post, Accounts(language="en")).send_due()

    assert post.subjects == ["Payment of order 2026-000042 failed"]


async def test_where_all_is_read_there_is_no_mail_and_the_next_does_not_wait_for_it(
    database: Database, queue_of: QueueOf
) -> None:
    user_id, post, accounts = new_id(), Post(), Accounts()
    await tell(database, user_id)
    await read(database, user_id, 1)

    await queue_of(post, accounts).send_due()

    assert (post.sent, accounts.asked) == ([], 0)
    assert (await mailbox(database, user_id)).mailed_at is None


async def test_nothing_is_due_before_the_delay_and_more_news_do_not_put_it_off(
    database: Database, queue_of: QueueOf
) -> None:
    user_id = new_id()
    database.session_info["mail_pace"] = MailPace(HOUR, HOUR)
    await tell(database, user_id)
    first = (await mailbox(database, user_id)).mail_due_at
    await tell(database, user_id)

    assert (await mailbox(database, user_id)).mail_due_at == first
    assert timedelta(minutes=59) < await due_in(database, user_id) <= HOUR
    assert await queue_of(Post()).send_due() == 0


async def test_after_a_mail_the_next_waits_for_the_interval_and_tells_only_what_is_new(
    database: Database, queue_of: QueueOf
) -> None:
    user_id, post = new_id(), Post()
    await tell(database, user_id, times=4)
    await queue_of(post).send_due()
    database.session_info["mail_pace"] = MailPace(NOW, HOUR)

    await tell(database, user_id, times=2)

    assert timedelta(minutes=59) < await due_in(database, user_id) <= HOUR
    assert await queue_of(post).send_due() == 0
    await let_it_be_due(database)
    await queue_of(post).send_due()
    assert post.subjects == ["4 новых уведомления", "2 новых уведомления"]


async def test_what_comes_while_a_mail_is_sent_is_told_by_the_next(database: Database, queue_of: QueueOf) -> None:
    user_id, post = new_id(), Post()

    class Slow(Post):
        async def send(self, mail: Mail) -> None:
            await tell(database, user_id, kind=Type.PAYMENT_FAILED)
            await super().send(mail)

    await tell(database, user_id)
    await queue_of(slow := Slow(), email_interval="1h").send_due()

    assert slow.subjects == ["Заказ 2026-000042 принят"]
    assert timedelta(minutes=59) < await due_in(database, user_id) <= HOUR
    await let_it_be_due(database)
    await queue_of(post).send_due()
    assert post.subjects == ["Оплата заказа 2026-000042 не прошла"]


@pytest.mark.parametrize("channel", Channel)
async def test_a_type_that_is_switched_off_makes_no_mail_due(database: Database, channel: Channel) -> None:
    user_id, other = new_id(), new_id()
    await switch_off(database, user_id, Type.ORDER_ASSIGNED, channel)

    await tell(database, user_id, other)

    async with database.session() as session:
        theirs = select(Mailbox.user_id).where(col(Mailbox.mail_due_at).is_not(None))
        assert (await session.exec(theirs)).all() == [other]


async def test_beside_others_a_type_that_is_switched_off_is_not_told(database: Database, queue_of: QueueOf) -> None:
    user_id, post = new_id(), Post()
    await tell(database, user_id, times=2)
    await tell(database, user_id, kind=Type.PAYMENT_FAILED)
    await switch_off(database, user_id, Type.ORDER_ASSIGNED, Channel.EMAIL)
    await tell(database, user_id)

    await queue_of(post).send_due()

    assert post.subjects == ["Оплата заказа 2026-000042 не прошла"]
    assert not await is_due(database, user_id)


async def test_nobody_is_written_to_whose_address_accounts_does_not_tell(database: Database, queue_of: QueueOf) -> None:
    user_id, accounts, post = new_id(), Accounts(), Post()
    accounts.unknown.add(user_id)
    await tell(database, user_id)

    await queue_of(post, accounts).send_due()

    assert (accounts.asked, post.sent) == (1, [])
    assert not await is_due(database, user_id)


async def test_a_mail_waits_for_accounts(database: Database, queue_of: QueueOf) -> None:
    user_id, accounts, post = new_id(), Accounts(away=2), Post()
    await tell(database, user_id, times=2)
    queue = queue_of(post, accounts, retry_delays="0s,0s")
    for _ in range(2):
        await queue.send_due()
        assert post.sent == []

    await queue.send_due()

    assert post.subjects == ["2 новых уведомления"]
    assert (await mailbox(database, user_id)).mail_attempts == 0


async def test_a_mail_that_never_goes_out_is_given_up_until_the_next_news_and_no_log_says_to_whom(
    database: Database, queue_of: QueueOf
) -> None:
    user_id = new_id()
    post = Post(*(OSError(f"{user_id}@example.com can't be reached") for _ in range(3)))
    queue = queue_of(post, retry_delays="0s,0s")
    await tell(database, user_id)

    with capture_logs() as logs:
        while await queue.send_due():
            pass

    assert [line["event"] for line in logs] == ["mail_is_retried"] * 2 + ["mail_given_up"]
    assert "@" not in str(logs)
    await tell(database, user_id)
    await queue.send_due()
    assert post.subjects == ["2 новых уведомления"]


async def test_a_mailbox_that_does_not_exist_is_given_up_at_once(database: Database, queue_of: QueueOf) -> None:
    user_id = new_id()
    await tell(database, user_id)

    await queue_of(Post(MailRefused())).send_due()

    assert not await is_due(database, user_id)


async def test_a_kill_between_sending_and_noting_it_sends_the_same_mail_again(
    database: Database, queue_of: QueueOf
) -> None:
    killed, after = HangingPost(), Post()
    await tell(database, new_id(), times=2)
    async with sending(queue_of(killed)):
        await killed.sending.wait()
        assert await queue_of(after).send_due() == 0  # leased

    await let_it_be_due(database)
    await queue_of(after).send_due()

    assert killed.sent == after.sent != []
    assert await queue_of(after).send_due() == 0


async def test_an_instance_that_comes_late_does_not_take_the_lease_of_the_next(
    database: Database, queue_of: QueueOf
) -> None:
    late, next_one = HangingPost(), HangingPost()
    await tell(database, new_id())
    async with sending(queue_of(late)):
        await late.sending.wait()
    await let_it_be_due(database)
    async with sending(queue_of(next_one)):
        await next_one.sending.wait()
        async with database.session() as session:
            (leased,) = (await session.exec(select(Mailbox).where(col(Mailbox.mail_due_at).is_not(None)))).all()
            stale = leased.model_copy(update={"mail_attempts": 1})
            await mails.postpone_news(session, stale, NOW)
            await mails.give_news_up(session, stale)

        assert await queue_of(Post()).send_due() == 0
        assert await is_due(database, leased.user_id)


async def test_many_mails_and_two_instances_send_each_once(database: Database, queue_of: QueueOf) -> None:
    everyone, post = [new_id() for _ in range(40)], Post()
    await tell(database, *everyone)

    async def all_are_sent() -> bool:
        return len(post.sent) >= 40

    tasks = [asyncio.create_task(queue_of(post).run()) for _ in range(2)]
    await eventually(all_are_sent)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert sorted(mail.to for mail in post.sent) == sorted(f"{user_id}@example.com" for user_id in everyone)


async def test_an_erased_user_gets_no_mail_also_where_one_is_just_being_sent(
    database: Database, queue_of: QueueOf
) -> None:
    waiting, in_hand = new_id(), new_id()

    class Erasing(Post):
        async def send(self, mail: Mail) -> None:
            async with database.session() as session:
                await service.forget_person(session, in_hand, version=2)
            await super().send(mail)

    await tell(database, waiting)
    async with database.session() as session:
        await service.forget_person(session, waiting, version=2)
    await tell(database, in_hand)
    await queue_of(erasing := Erasing()).send_due()
    await tell(database, waiting, in_hand)

    assert [mail.to for mail in erasing.sent] == [f"{in_hand}@example.com"]
    assert not await is_due(database, waiting)
    assert not await is_due(database, in_hand)
    assert (await mailbox(database, in_hand)).mailed_at is None


async def test_a_mailbox_from_before_there_were_mails_is_told_of_what_is_new_alone(
    database: Database, queue_of: QueueOf
) -> None:
    user_id, post = new_id(), Post()
    await tell(database, user_id, times=7)
    async with database.session() as session:
        old = {"mail_due_at": None, "mailed_seq": None}
        await session.exec(update(Mailbox).where(col(Mailbox.user_id) == user_id).values(old))

    await tell(database, user_id, kind=Type.PAYMENT_FAILED)
    await queue_of(post).send_due()

    assert post.subjects == ["Оплата заказа 2026-000042 не прошла"]


async def test_a_title_is_in_its_readers_language_and_in_that_of_the_default_where_it_is_not_known(
    database: Database,
) -> None:
    russian, english, unknown = new_id(), new_id(), new_id()
    languages: dict[UUID, Language] = {russian: "ru", english: "en"}
    for user_id, language in languages.items():
        state = UserState(id=user_id, role="client", full_name="M", is_active=True, language=language, version=1)
        async with database.session() as session:
            await service.keep_person(session, state)

    await tell(database, russian, english, unknown)

    async with database.session() as session:
        mine = select(Notification.user_id, Notification.title).where(
            col(Notification.user_id).in_([russian, english, unknown])
        )
        assert dict((await session.exec(mine)).all()) == {
            russian: "Заказ 2026-000042 принят",
            english: "Order 2026-000042 is accepted",
            unknown: "2026-000042-buyurtma qabul qilindi",
        }
