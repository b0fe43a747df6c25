"""One service's running parts: database, bus, inbox, relay, keys. Put together once, started and stopped as one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog

from shared.auth.keys import NOTE as KEYS_NOTE
from shared.auth.keys import KeyCache
from shared.auth.revocations import Revocations
from shared.auth.users import Authenticator
from shared.config import ServiceSettings
from shared.db import Database
from shared.http.internal import InternalClient
from shared.messaging.bus import Bus, Subscriptions
from shared.messaging.housekeeping import keep_house
from shared.messaging.inbox import Inbox
from shared.messaging.measuring import watch_backlogs, watch_connections
from shared.messaging.rabbit import RabbitBus
from shared.messaging.relay import Relay, backlog
from shared.observability.loop import watch_loop

READY_TIMEOUT = timedelta(milliseconds=500)
BACKLOG_IS_OLD = timedelta(seconds=30)

log = structlog.get_logger()


class Platform:
    """One service's running parts. Routes reach it as `app.state.platform`."""

    def __init__(self, service: str, settings: ServiceSettings, subscriptions: Subscriptions, bus: Bus | None) -> None:
        self.service = service
        self.database = Database(settings)
        self.internal = InternalClient(service, settings)
        self.bus: Bus = bus or RabbitBus(service, settings)
        keys = KeyCache(self.internal.key_set, self.database, settings)
        self.bus.listen(KEYS_NOTE, lambda note: keys.drop(note["kids"]))
        revocations = Revocations(self.database, self.bus, settings)
        secret = settings.internal_secret.get_secret_value()
        self.authenticator = Authenticator(service, keys, revocations, settings.token_issuer, secret)
        self.inbox = Inbox(service, self.database, subscriptions, settings)
        self.relay = Relay(service, self.database, self.bus, settings)
        self._loops: Sequence[asyncio.Task[None]] = ()
        self.database.session_info |= {
            "service": service,
            "hand_over": self.relay.hand_over,
            "bus": self.bus,
            "revocations": revocations,
        }

    @asynccontextmanager
    async def running(self, background: Sequence["Background"]) -> AsyncIterator[None]:
        """Start everything, and stop it in the opposite order."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.internal.close)
            await self.bus.start(self.inbox)
            stack.push_async_callback(self.bus.stop)
            keys, revocations = self.authenticator.keys, self.authenticator.revocations
            watch_connections(self.service, self.database, self.bus)
            loops = [self.relay.run(), self.inbox.run(), keep_house(self.database), keys.keep(), revocations.keep()]
            loops += [watch_backlogs(self.service, self.database), watch_loop()]
            tasks = [asyncio.create_task(_logged(loop)) for loop in (*loops, *(run(self) for run in background))]
            stack.push_async_callback(_cancel, tasks)
            self._loops = tasks
            yield

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether requests can be served, and what else is to know. A broker that is away only degrades."""
        try:
            await self.database.ping(READY_TIMEOUT)
            outbox = await backlog(self.database)
        except Exception as error:
            return False, {"status": "unready", "database": type(error).__name__}
        if any(loop.done() for loop in self._loops):
            return False, {"status": "unready", "background": "a loop has ended: see the log"}
        if not self.authenticator.keys.known:
            return False, {"status": "unready", "keys": "not known yet"}
        if not self.authenticator.revocations.known:
            return False, {"status": "unready", "revocations": "not read yet"}
        well = self.bus.connected and outbox.age < BACKLOG_IS_OLD
        return True, {
            "status": "ready" if well else "degraded",
            "broker": "connected" if self.bus.connected else "away",
            "outbox": {"waiting": outbox.waiting, "oldest_seconds": round(outbox.age.total_seconds(), 1)},
        }


Background = Callable[[Platform], Coroutine[Any, Any, None]]
"""Work that a service does beside requests and events, until cancelled: a timer, a sweep."""


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Nothing awaits a background loop while it runs, so an error that ends one must be told here."""
    try:
        await work
    except Exception:
        log.exception("background_work_ended")
        raise


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
