"""All sockets of this process, and the one reader that serves them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any
from uuid import UUID

import orjson
import structlog

from services.notifications import repo
from services.notifications.config import NotificationsSettings
from services.notifications.domain import CloseCode
from services.notifications.sockets.connection import Closed, Connection, Message
from shared.auth.revocations import Revocations
from shared.background import woken
from shared.db import Database
from shared.messaging.bus import Bus
from shared.observability.metrics import SOCKETS

NOTE = "mail"
PAGE = 50
"""Notifications of one socket a reading: what it may keep in memory that its client has not taken."""
READ_AT_ONCE = 5000
"""Notifications a reading, at most."""
READ_EVERY = 0.01
"""Seconds from the start of a reading to that of the next: a reading costs more than a row."""
SWEEP_AT_ONCE = 200

log = structlog.get_logger("notifications")


class Sockets:
    """Wake-ups name users and the last `seq` of each. One loop reads what is new for all of them in one query, and
    hands it to their sockets; another one looks after lost wake-ups. What this instance has just written itself is
    handed to those sockets that have all before it, and need not be read."""

    def __init__(self, database: Database, bus: Bus, revocations: Revocations, settings: NotificationsSettings) -> None:
        self._database, self._bus, self._revocations = database, bus, revocations
        self._sweep_every, self._per_user = settings.socket_sweep.total_seconds(), settings.sockets_per_user
        self._open: dict[UUID, list[Connection]] = {}
        self._due: dict[Connection, None] = {}
        self._work, self._gap = asyncio.Event(), asyncio.Event()
        bus.listen(NOTE, lambda note: self._tell((UUID(user_id), seq) for user_id, seq in note.items()))
        bus.on_gap(self._gap.set)
        revocations.on_change(self._end_revoked)

    async def wake(self, last_seqs: Mapping[UUID, int], added: Iterable[Any]) -> None:
        """There is something new for these users, the rows `added`: tell every instance that may hold sockets of
        theirs."""
        new: dict[UUID, list[Any]] = {}
        for row in added:
            if row.user_id in self._open:
                new.setdefault(row.user_id, []).append(row)
        for user_id, rows in new.items():
            messages = [_message(row) for row in sorted(rows, key=lambda row: row.seq)]
            for connection in self._open[user_id]:
                connection.offer(messages[:PAGE])
        await self._bus.broadcast(NOTE, {str(user_id): seq for user_id, seq in last_seqs.items()})

    async def serve(
        self, connection: Connection, since: int | None, listen: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """Send what comes, and first what came after `since`, while `listen` hears the client.

        Raises `Closed` when the token ends or is revoked, and when the client is too slow or has too many sockets.
        """
        try:
            async with asyncio.timeout(None) as connection.life:
                connection.speak_for(connection.user)
                with self._registered(connection), SOCKETS.labels("notifications").track_inprogress():
                    try:
                        await connection.serve(await self._last_seq(connection.user.id), since)
                        await listen(connection)
                    finally:
                        await connection.stop()
        except TimeoutError:
            ended = connection.life is not None and connection.life.expired()
            raise Closed(connection.code if ended else CloseCode.TOO_SLOW) from None

    async def _last_seq(self, user_id: UUID) -> int:
        # On its own, since a socket that waits would keep the session in its frame.
        async with self._database.reading() as session:
            return await repo.last_seq(session, user_id)

    @contextmanager
    def _registered(self, connection: Connection) -> Iterator[None]:
        """Known to wake-ups before `last_seq` is read, so that nothing falls between the two."""
        user_id = connection.user.id
        theirs = self._open.setdefault(user_id, [])
        if len(theirs) >= self._per_user:
            raise Closed(CloseCode.TOO_MANY)
        theirs.append(connection)
        connection.want_reading = self._want_reading
        try:
            yield
        finally:
            theirs.remove(connection)
            self._due.pop(connection, None)
            if not theirs:
                del self._open[user_id]

    def _want_reading(self, connection: Connection) -> None:
        self._due[connection] = None
        self._work.set()

    def _tell(self, last_seqs: Iterable[tuple[UUID, int]]) -> None:
        for user_id, seq in last_seqs:
            for connection in self._open.get(user_id, ()):
                connection.tell(seq)

    def _end_revoked(self, user_id: UUID) -> None:
        for connection in self._open.get(user_id, ()):
            if self._revocations.refuses(connection.user.claims):
                connection.end(CloseCode.UNAUTHENTICATED)

    async def read_forever(self) -> None:
        """Read for the sockets that want it, until cancelled."""
        now = asyncio.get_running_loop().time
        while True:
            await self._work.wait()
            next_at = now() + READ_EVERY
            try:
                await self._read()
            except Exception as error:
                log.warning("sockets_wait_for_database", error=repr(error))
                next_at = now() + 1
            await asyncio.sleep(next_at - now())

    async def _read(self) -> None:
        """One reading, for as many sockets as it has room for."""
        readers = self._next_readers()
        if not readers:
            return
        cursors = [*readers]
        try:
            async with self._database.reading() as session:
                rows = await repo.beyond(session, cursors, PAGE)
        except Exception:
            for connection in chain.from_iterable(readers.values()):
                connection.tell(connection.told)  # it still wants a reading
            raise
        found: dict[int, list[Message]] = {}
        for row in rows:
            found.setdefault(row.number, []).append(_message(row))
        for number, messages in found.items():
            for connection in readers[cursors[number]]:
                if not connection.is_busy:
                    connection.send(messages)

    def _next_readers(self) -> dict[tuple[UUID, int], list[Connection]]:
        """Sockets that want a reading, by what they have: those of one user mostly have the same."""
        readers: dict[tuple[UUID, int], list[Connection]] = {}
        room = READ_AT_ONCE
        while self._due and room > 0:
            connection = next(iter(self._due))
            del self._due[connection]
            # Who is busy asks again by itself. And who is read for waits for it: nothing else is offered meanwhile.
            if not connection.is_busy and connection.told > connection.sent:
                readers.setdefault((connection.user.id, connection.sent), []).append(connection)
                room -= min(PAGE, connection.told - connection.sent)
        if not self._due:
            self._work.clear()
        return readers

    async def sweep_forever(self) -> None:
        """Find out what lost wake-ups kept from sockets, without end and at once after each gap, until cancelled."""
        hurried = True
        while True:
            self._gap.clear()
            try:
                await self._sweep(0 if hurried else self._sweep_every)
                hurried = self._gap.is_set()
            except Exception as error:
                log.warning("sockets_are_not_swept", error=repr(error))
                hurried = True
                await woken(self._gap, self._sweep_every)

    async def _sweep(self, within: float) -> None:
        """Look after every user once, evenly over these seconds: all of them together would hold up what is live.

        Ends early where a gap comes, after which all have to be looked after anew.
        """
        users = [*self._open]
        parts = [users[start : start + SWEEP_AT_ONCE] for start in range(0, len(users), SWEEP_AT_ONCE)] or [[]]
        for part in parts:
            sent = {
                user_id: min(connection.sent for connection in self._open[user_id])
                for user_id in part
                if user_id in self._open
            }
            if sent:
                async with self._database.reading() as session:
                    behind = await repo.last_seqs_beyond(session, sent)
                self._tell(behind.items())
            if await woken(self._gap, within / len(parts)):
                return


def _message(row: Any) -> Message:
    content = {
        "type": row.type,
        "seq": row.seq,
        "id": row.id,
        "created_at": row.created_at,
        "title": row.title,
        "data": orjson.Fragment(row.data),
    }
    return Message(row.seq, orjson.dumps(content, option=orjson.OPT_UTC_Z).decode(), row.traceparent)
