"""From an order to the mail about it, through all services."""

from functools import partial
from uuid import UUID

import httpx
from sqlalchemy import update
from sqlmodel import col, func

from marketplace.system import System
from services.notifications.models import Mailbox
from tests.integration.notifications.mailboxes import database_of
from tests.support.mails import MailFolder
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


async def let_mails_be_due(system: System, *people: Person) -> None:
    theirs = col(Mailbox.user_id).in_([UUID(person.id) for person in people])
    async with database_of(system).session() as session:
        await session.exec(update(Mailbox).where(theirs).values(mail_due_at=func.now()))


async def nothing_is_due(system: System, person: Person) -> bool:
    async with database_of(system).session() as session:
        return (await session.get_one(Mailbox, UUID(person.id))).mail_due_at is None


async def has_heard(person: Person, count: int) -> bool:
    return len(await person.notifications()) == count


async def test_who_confirmed_the_address_is_told_by_mail_and_who_did_not_is_not(
    system: System, http: httpx.AsyncClient, mails: MailFolder
) -> None:
    client = await register(http, "client", language="ru", full_name="Малика")
    worker = await register(http, "worker")
    (token,) = await mails.tokens(client.email, "confirm-email")
    assert (await client.post("/api/auth/email/confirm/", {"token": token})).is_success
    order = await client.order((await worker.offer())["id"])
    expect(await worker.accept(order["id"]), 200)
    for person in (client, worker):
        await eventually(partial(has_heard, person, 2))
        await let_mails_be_due(system, person)
        await eventually(partial(nothing_is_due, system, person))

    *_, mail = mails.to(client.email)
    assert mail["Subject"] == "2 новых уведомления"
    assert mail["List-Unsubscribe"].endswith("/notifications/preferences>")
    text = mail.get_content()
    assert text.startswith("Здравствуйте, Малика!\n")
    assert f"- Новый заказ {order['number']}: Leaking tap repair\n- Заказ {order['number']} принят\n" in text
    assert len(mails.to(worker.email)) == 1, "only the link to confirm the address"
