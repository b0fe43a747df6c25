"""Instances of the hub of sockets on a real database, and clients that only keep what they are sent."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from services.notifications import service
from services.notifications.config import NotificationsSettings
from services.notifications.domain import Type
from services.notifications.service import Notice
from services.notifications.sockets.connection import Closed, Connection
from services.notifications.sockets.hub import Sockets
from shared.auth.revocations import Revocations
from shared.db import Database
from shared.messaging.local import LocalBus, LocalHub
from tests.integration.conftest import SETTINGS
from tests.support.waiting import eventually
from tests.unit.factories import settings, user


class Hub:
    """One instance: its bus reaches nobody else."""

    def __init__(self, database: Database, **changed: Any) -> None:
        self.database, self.settings = database, settings(NotificationsSettings, **{**SETTINGS, **changed})
        bus = LocalBus(LocalHub(), "notifications")
        self.revocations = Revocations(database, bus, self.settings)
        self.sockets = Sockets(database, bus, self.revocations, self.settings)

    async def tell(self, *users: UUID, times: int = 1, size: int = 0, elsewhere: bool = False) -> None:
        """Notify each of the users so often, in one transaction, of this instance or of one elsewhere; this one alone
        is woken."""
        notice = Notice(Type.ORDER_CREATED, {"number": "1", "service_title": "x" * size or "New"}, users)
        async with self.database.session() as session:
            session.info["wake_sockets"] = self._hear if elsewhere else self.sockets.wake
            await service.notify(session, [notice] * times)

    async def _hear(self, last_seqs: Mapping[UUID, int], _: object) -> None:
        await self.sockets.wake(last_seqs, ())


@asynccontextmanager
async def hub(database: Database, **changed: Any) -> AsyncIterator[Hub]:
    """A running one. With `socket_sweep="1h"` nothing but wake-ups moves it."""
    one = Hub(database, **changed)
    loops = [asyncio.create_task(one.sockets.read_forever()), asyncio.create_task(one.sockets.sweep_forever())]
    try:
        yield one
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


class Client:
    """The far end of a socket. While it is not `reading`, sends to it hang."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.code: int | None = None
        self.connection: Connection | None = None

    async def send_text(self, data: str) -> None:
        await self.reading.wait()
        self.heard.append(json.loads(data))

    @property
    def seqs(self) -> list[int]:
        return [message["seq"] for message in self.heard[1:]]

    async def has(self, *seqs: int) -> bool:
        return self.seqs == [*seqs]

    async def ended(self) -> bool:
        return self.code is not None


@asynccontextmanager
async def connected(
    to: Hub, user_id: UUID, since: int | None = None, *, lives: float = 600, reads: bool = True
) -> AsyncIterator[Client]:
    """A client of that user, once it was told that it is ready, or refused."""
    client = Client()
    if not reads:
        client.reading.clear()

    async def silent(_: Connection) -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        someone = user("client", user_id, expires_at=time.time() + lives)
        client.connection = Connection(client, someone, to.settings)
        try:
            await to.sockets.serve(client.connection, since, silent)
        except Closed as closed:
            client.code = closed.code

    async def answered() -> bool:
        return bool(client.heard) or client.code is not None

    task = asyncio.create_task(serve())
    try:
        await eventually(answered)
        yield client
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
