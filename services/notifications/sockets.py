"""The open WebSockets of this process.

A socket sends what is beyond the last `seq` it sent, read in order from the table. A wake-up only says that there is
something to read, so one that is lost, doubled or early does no harm: nothing is missed, doubled or overtaken.
"""

import asyncio
import time
from collections import defaultdict
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import orjson
import structlog

from services.notifications import repo
from services.notifications.domain import CloseCode
from shared.auth.revocations import Revocations
from shared.auth.users import User
from shared.background import woken
from shared.db import Database
from shared.errors import Unavailable
from shared.http.types import jsonable
from shared.messaging.bus import Bus
from shared.observability.metrics import SOCKETS

BATCH = 100
NOTE = "mail"

log = structlog.get_logger()


class Closed(Exception):
    """The socket has to be closed with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Transport(Protocol):
    async def send_text(self, data: str) -> None: ...


class Connection:
    """One socket of one user."""

    def __init__(self, transport: Transport, user: User) -> None:
        self.user = user
        self._transport = transport
        self.wake = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        await self._transport.send_text(orjson.dumps(message, default=jsonable, option=orjson.OPT_UTC_Z).decode())

    @property
    def seconds_left(self) -> float:
        """How long the user's token still lives."""
        return self.user.claims.expires_at - time.time()


class Sockets:
    def __init__(self, database: Database, bus: Bus, revocations: Revocations, sweep: timedelta) -> None:
        self._database, self._bus, self._sweep = database, bus, sweep.total_seconds()
        self._revocations = revocations
        self._open: dict[UUID, set[Connection]] = defaultdict(set)
        bus.listen(NOTE, lambda note: self._wake(UUID(note["user_id"])))
        revocations.on_change(self._wake)

    async def wake(self, user_id: UUID) -> None:
        """There is something new for the user: tell every instance that may hold a socket of theirs."""
        await self._bus.broadcast(NOTE, {"user_id": str(user_id)})

    def _wake(self, user_id: UUID) -> None:
        for connection in self._open.get(user_id, ()):
            connection.wake.set()

    async def serve(self, connection: Connection, since: int | None) -> None:
        """Send what comes, and first what came after `since`, until the token ends or is revoked (`Closed`) or this is
        cancelled."""
        user_id = connection.user.id
        # Known to wake-ups before the first reading, so that nothing falls between the two.
        self._open[user_id].add(connection)
        SOCKETS.labels("notifications").inc()
        try:
            async with self._database.session() as session:
                last_seq = await repo.last_seq(session, user_id)
            await connection.send({"type": "ready", "last_seq": last_seq})
            sent = last_seq if since is None else min(since, last_seq)
            while True:
                connection.wake.clear()
                if self._revocations.refuses(connection.user.claims):
                    raise Closed(CloseCode.UNAUTHENTICATED)
                try:
                    sent = await self._send_beyond(connection, sent)
                except Unavailable as error:
                    log.warning("socket_waits_for_database", error=str(error))
                await self._wait(connection)
        finally:
            SOCKETS.labels("notifications").dec()
            self._open[user_id].discard(connection)
            if not self._open[user_id]:
                del self._open[user_id]

    async def _send_beyond(self, connection: Connection, sent: int) -> int:
        """Send one batch of what is beyond `sent`; returns the last `seq` sent. A full batch wakes for the next."""
        async with self._database.session() as session:
            rows = await repo.after(session, connection.user.id, sent, BATCH)
        for row in rows:
            message = dict(row)
            del message["read_at"]
            await connection.send(message)
            sent = row["seq"]
        if len(rows) == BATCH:
            connection.wake.set()
        return sent

    async def _wait(self, connection: Connection) -> None:
        """Until woken, or swept, or the token ends."""
        await woken(connection.wake, max(0, min(self._sweep, connection.seconds_left)))
        if connection.seconds_left <= 0:
            raise Closed(CloseCode.UNAUTHENTICATED)
