"""One's inbox over HTTP: what is read in it, and what one wants in it."""

from typing import Any
from uuid import UUID

import pytest

from marketplace.system import System
from services.notifications import events, service
from services.notifications.domain import Type
from services.notifications.models import Mailbox, Preferences, SocketTicket
from shared.contracts.accounts import UserErased
from shared.ids import new_id
from tests.integration.notifications.mailboxes import database_of, notified
from tests.integration.notifications.test_people import handle, kept
from tests.support.people import Person, expect

PREFERENCES = "/api/notifications/preferences/"
TYPES = {*Type}


async def unread(person: Person) -> int:
    count: int = expect(await person.get("/api/notifications/unread-count/"), 200)["count"]
    return count


async def set_preferences(person: Person, **preferences: Any) -> Any:
    return await person.http.put(PREFERENCES, json={"preferences": preferences}, headers=person.headers)


async def test_one_is_read_once_and_the_rest_stays_unread(system: System, client: Person) -> None:
    await notified(system, client, *[Type.ORDER_CREATED] * 3)
    first, *_ = await client.notifications()

    for _ in range(2):
        assert (await client.post(f"/api/notifications/{first['id']}/read/")).status_code == 204
        (read,) = expect(await client.get("/api/notifications/", unread=False), 200)["results"]
        first["read_at"] = first["read_at"] or read["read_at"]
        assert read == first

    assert await unread(client) == 2


async def test_all_are_read_at_once_and_what_comes_later_is_not(system: System, client: Person, worker: Person) -> None:
    for person in (client, worker):
        await notified(system, person, Type.ORDER_CREATED, Type.ORDER_ASSIGNED)

    for _ in range(2):
        assert (await client.post("/api/notifications/read-all/")).status_code == 204
    await notified(system, client, Type.PAYMENT_FAILED)

    assert (await unread(client), await unread(worker)) == (1, 2)


async def test_what_is_not_ones_own_can_not_be_read(system: System, client: Person, worker: Person) -> None:
    await notified(system, worker, Type.ORDER_CREATED)
    (theirs,) = await worker.notifications()

    for notification_id in (theirs["id"], new_id()):
        assert (await client.post(f"/api/notifications/{notification_id}/read/")).status_code == 404
    assert await unread(worker) == 1


async def test_at_first_everything_is_on(client: Person) -> None:
    preferences = expect(await client.get(PREFERENCES), 200)["preferences"]

    assert preferences == {kind: {"live": True, "email": True} for kind in TYPES}


async def test_preferences_are_replaced_and_what_is_not_named_is_on_again(client: Person) -> None:
    await set_preferences(client, order_created={"live": False, "email": False}, payment_failed={"email": False})

    changed = expect(await set_preferences(client, order_assigned={"email": False}), 200)

    assert changed == expect(await client.get(PREFERENCES), 200)
    off = {kind: channels for kind, channels in changed["preferences"].items() if not all(channels.values())}
    assert off == {"order_assigned": {"live": True, "email": False}}


@pytest.mark.parametrize(
    "preferences",
    [{"order_lost": {"live": True}}, {"order_created": {"pigeon": True}}, {"order_created": {"live": "yes"}}],
    ids=["type", "channel", "value"],
)
async def test_unknown_preferences_are_refused_and_change_nothing(client: Person, preferences: Any) -> None:
    await set_preferences(client, payment_failed={"live": False})
    before = expect(await client.get(PREFERENCES), 200)

    assert (await set_preferences(client, **preferences)).status_code == 422
    assert expect(await client.get(PREFERENCES), 200) == before


async def test_what_is_switched_off_is_neither_kept_nor_counted(system: System, client: Person, worker: Person) -> None:
    await set_preferences(client, order_created={"live": False}, order_assigned={"email": False})

    for person in (client, worker):
        await notified(system, person, Type.ORDER_CREATED, Type.ORDER_ASSIGNED, Type.ORDER_CREATED)

    assert [(told["seq"], told["type"]) for told in await client.notifications()] == [(1, "order_assigned")]
    assert [told["seq"] for told in await worker.notifications()] == [1, 2, 3]


async def test_who_wants_nothing_at_all_has_no_mailbox_counted(system: System, client: Person) -> None:
    await set_preferences(client, **{kind: {"live": False} for kind in TYPES})

    await notified(system, client, *TYPES)

    assert await kept(database_of(system), Mailbox, UUID(client.id)) == []


async def test_an_erasure_takes_preferences_and_tickets(system: System, client: Person) -> None:
    user_id = UUID(client.id)
    await set_preferences(client, order_created={"live": False})
    expect(await client.post("/api/notifications/ws-ticket/"), 201)
    database = database_of(system)
    async with database.session() as session:
        assert await service.export(session, user_id) == {
            "notifications": [],
            "switched_off": {"order_created": ["live"]},
        }

    await handle(database, events.forget_person, UserErased(user_id=user_id, version=9))

    assert await kept(database, Preferences, user_id) == await kept(database, SocketTicket, user_id) == []


async def test_answers_are_kept_by_no_cache(client: Person) -> None:
    for path in ("", "unread-count/", "preferences/"):
        assert (await client.get(f"/api/notifications/{path}")).headers["cache-control"] == "no-store"
    assert (await client.post("/api/notifications/ws-ticket/")).headers["cache-control"] == "no-store"
