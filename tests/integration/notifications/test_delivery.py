"""What reaches a socket: everything, once, in order, whatever is lost or slow on the way."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from marketplace.system import System
from services.notifications import repo
from services.notifications.sockets import hub as module
from shared.db import Connected, Database
from shared.db.base import utcnow
from shared.errors import Unavailable
from shared.ids import new_id
from tests.integration.notifications.hubs import Client, Hub, connected, hub
from tests.integration.notifications.mailboxes import database_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("system")
NEVER = "1h"


@pytest.fixture
def database(system: System) -> Database:
    return database_of(system)


async def test_every_instance_finds_what_another_ones_wake_up_told_of(database: Database) -> None:
    user_id = new_id()
    async with (
        hub(database, socket_sweep=NEVER) as one,
        hub(database) as deaf,
        connected(one, user_id) as here,
        connected(deaf, user_id) as there,
    ):
        for _ in range(3):
            await one.tell(user_id)

        await eventually(partial(here.has, 1, 2, 3))
        await eventually(partial(there.has, 1, 2, 3))


async def test_a_gap_in_the_notes_is_swept_at_once(database: Database) -> None:
    user_id = new_id()
    async with hub(database, socket_sweep=NEVER) as deaf, connected(deaf, user_id) as client:
        await Hub(database).tell(user_id)

        deaf.sockets._gap.set()

        await eventually(partial(client.has, 1))


async def test_a_gap_amid_a_sweep_has_all_be_swept_anew_and_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifications.sockets.hub.SWEEP_AT_ONCE", 1)
    users = [new_id() for _ in range(3)]
    async with hub(database, socket_sweep=NEVER) as deaf, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(deaf, user_id)) for user_id in users]
        for seq in (1, 2):  # the second time it is amid a sweep: that of three users takes hours
            await Hub(database).tell(*users)

            deaf.sockets._gap.set()

            for client in clients:
                await eventually(partial(client.has, *range(1, seq + 1)))


async def test_a_sweep_looks_after_every_user_within_its_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifications.sockets.hub.SWEEP_AT_ONCE", 2)
    users = [new_id() for _ in range(5)]
    async with hub(database, socket_sweep="100ms") as deaf, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(deaf, user_id)) for user_id in users]
        await Hub(database).tell(*users)
        for client in clients:
            await eventually(partial(client.has, 1))


async def test_all_sockets_of_a_user_hear_of_everything_and_nobody_else_does(database: Database) -> None:
    user_id, other = new_id(), new_id()
    async with hub(database) as one, connected(one, other) as stranger:
        await one.tell(user_id, times=2)
        async with connected(one, user_id) as new, connected(one, user_id, since=0) as old:
            await one.tell(user_id, other)

            await eventually(partial(old.has, 1, 2, 3))
            await eventually(partial(new.has, 3))
            await eventually(partial(stranger.has, 1))
    assert [client.heard[0]["last_seq"] for client in (stranger, new, old)] == [0, 2, 2]


async def test_what_an_instance_has_written_itself_it_need_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, other = new_id(), new_id()
    async with hub(database, socket_sweep=NEVER) as one, hub(database) as two, AsyncExitStack() as stack:
        await one.tell(user_id)
        new, far, behind = [
            await stack.enter_async_context(connected(at, user_id, since=since))
            for at, since in ((one, None), (two, None), (one, 1))
        ]
        await eventually(partial(behind.has))
        reads: list[list[tuple[UUID, int]]] = []
        read = repo.beyond

        async def noted(session: Connected, cursors: Sequence[tuple[UUID, int]], limit: int) -> Sequence[Any]:
            reads.append([*cursors])
            return await read(session, cursors, limit)

        monkeypatch.setattr(repo, "beyond", noted)
        await one.tell(user_id, other, times=2)

        for client in (new, behind, far):
            await eventually(partial(client.has, 2, 3))
    assert reads == [[(user_id, 1)]]  # by the other instance
    assert _content(new) == _content(behind) == _content(far)


def _content(client: Client) -> list[dict[str, Any]]:
    return [message for message in client.heard if message["type"] != "ready"]


async def test_a_long_absence_is_replayed_page_by_page_while_new_ones_come(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    user_id = new_id()
    async with hub(database, socket_sweep=NEVER) as one:
        await one.tell(user_id, times=20)
        async with connected(one, user_id, since=4) as client:
            for _ in range(20):
                await one.tell(user_id)

            await eventually(partial(client.has, *range(5, 41)))


async def test_who_was_away_for_long_is_not_slow(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    user_id = new_id()
    async with hub(database, socket_sweep=NEVER, socket_backlog=5) as one:
        await one.tell(user_id, times=20)
        async with connected(one, user_id, since=0) as client:
            await eventually(partial(client.has, *range(1, 21)))


async def test_what_is_committed_between_subscribing_and_reading_is_neither_missed_nor_doubled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, read = new_id(), repo.last_seq

    async def read_then_someone_tells(*args: object) -> int:
        last_seq: int = await read(*args)  # type: ignore[arg-type]
        await one.tell(user_id)
        return last_seq

    monkeypatch.setattr(repo, "last_seq", read_then_someone_tells)
    async with hub(database, socket_sweep=NEVER) as one, connected(one, user_id) as client:
        assert client.heard[0]["last_seq"] == 0
        await eventually(partial(client.has, 1))


async def test_what_is_told_during_a_reading_is_read_by_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, beyond = new_id(), repo.beyond
    told = iter([True])

    async def read_then_someone_tells(*args: object) -> object:
        rows = await beyond(*args)  # type: ignore[arg-type]
        if next(told, False):
            await one.tell(user_id)
        return rows

    monkeypatch.setattr(repo, "beyond", read_then_someone_tells)
    async with hub(database, socket_sweep=NEVER) as one, connected(one, user_id) as client:
        await one.tell(user_id, elsewhere=True)

        await eventually(partial(client.has, 1, 2))


async def test_what_a_reading_has_found_is_not_read_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be of nothing, and what is offered meanwhile would come twice."""
    user_id, beyond, read = new_id(), repo.beyond, []

    async def read_then_hear_of_it_again(session: Connected, cursors: Sequence[tuple[UUID, int]], limit: int) -> object:
        rows = await beyond(session, cursors, limit)
        read.append([*cursors])
        one.sockets._tell([(user_id, 1)])
        return rows

    monkeypatch.setattr(repo, "beyond", read_then_hear_of_it_again)
    async with hub(database, socket_sweep=NEVER) as one, connected(one, user_id) as client:
        await one.tell(user_id, elsewhere=True)
        await eventually(partial(client.has, 1))
        await one.tell(user_id, elsewhere=True)  # behind whatever waited to be read
        await eventually(partial(client.has, 1, 2))
    assert read == [[(user_id, 0)], [(user_id, 1)]]


async def test_a_reading_that_fails_is_made_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id, beyond = new_id(), repo.beyond
    failures = iter([Unavailable("away")])

    async def fail_once(*args: object) -> object:
        for failure in failures:
            raise failure
        return await beyond(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(repo, "beyond", fail_once)
    async with hub(database, socket_sweep=NEVER) as one, connected(one, user_id) as client:
        await one.tell(user_id, elsewhere=True)

        await eventually(partial(client.has, 1))


async def test_many_users_are_read_in_one_query(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    users, readings = [new_id() for _ in range(40)], []
    beyond = repo.beyond

    async def counted(session: object, cursors: list[object], limit: int) -> object:
        readings.append(len(cursors))
        return await beyond(session, cursors, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(repo, "beyond", counted)
    async with hub(database, socket_sweep=NEVER) as one, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(one, user_id)) for user_id in users]
        await one.tell(*users, elsewhere=True)
        for client in clients:
            await eventually(partial(client.has, 1))
    assert readings == [40]


async def test_a_client_that_takes_nothing_is_too_slow_and_gets_the_rest_by_since(database: Database) -> None:
    user_id = new_id()
    async with hub(database, socket_send_timeout="50ms") as one:
        async with connected(one, user_id) as client:
            await one.tell(user_id)
            await eventually(partial(client.has, 1))
            client.reading.clear()
            await one.tell(user_id, times=3)
            await eventually(client.ended)
        assert client.code == 4408
        async with connected(one, user_id, since=client.seqs[-1]) as again:
            await eventually(partial(again.has, 2, 3, 4))


async def test_a_client_that_takes_not_even_the_first_message_is_too_slow(database: Database) -> None:
    async with hub(database, socket_send_timeout="50ms") as one, connected(one, new_id(), reads=False) as client:
        assert (client.code, client.heard) == (4408, [])


async def test_who_falls_too_far_behind_is_too_slow_and_others_are_not_held_up(database: Database) -> None:
    user_id, other = new_id(), new_id()
    async with (
        hub(database, socket_backlog=5) as one,
        connected(one, other) as quick,
        connected(one, user_id) as slow,
    ):
        slow.reading.clear()
        for _ in range(6):
            await one.tell(user_id)
        await one.tell(other)
        await eventually(slow.ended)
        await eventually(partial(quick.has, 1))
    assert (slow.code, quick.code) == (4408, None)


async def test_an_eleventh_socket_of_a_user_is_one_too_many_until_another_ends(database: Database) -> None:
    user_id = new_id()
    async with hub(database) as one, AsyncExitStack() as stack:
        for _ in range(9):
            await stack.enter_async_context(connected(one, user_id))
        async with (
            connected(one, user_id) as tenth,
            connected(one, user_id) as eleventh,
            connected(one, new_id()) as other,
        ):
            assert (tenth.code, eleventh.code, other.code) == (None, 4429, None)
        async with connected(one, user_id) as instead:
            assert instead.code is None


async def test_a_socket_ends_with_its_token(database: Database) -> None:
    async with hub(database) as one, connected(one, new_id(), lives=0.2) as client:
        await eventually(client.ended)
    assert client.code == 4401


async def test_a_revoked_socket_ends_at_once(database: Database) -> None:
    user_id = new_id()
    async with (
        hub(database, socket_sweep=NEVER) as one,
        connected(one, user_id) as client,
        connected(one, new_id()) as other,
    ):
        row = {"subject": user_id, "user_id": user_id, "min_ver": 99, "expires_at": utcnow().replace(year=2099)}
        await one.revocations.tell([row])
        await eventually(client.ended)
    assert (client.code, other.code) == (4401, None)


async def test_an_idle_socket_has_no_task_of_its_own(database: Database) -> None:
    user_id = new_id()
    async with hub(database, socket_sweep=NEVER) as one, connected(one, user_id) as client:
        await one.tell(user_id)
        await eventually(partial(client.has, 1))
        assert client.connection
        assert client.connection._writer is None
