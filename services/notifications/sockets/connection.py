"""One socket: how far it is, and when it has to end.

There is one rule by which nothing is missed, doubled or overtaken, be it replayed or live: a socket is read for only
while it is sent nothing, and a reading begins after the last `seq` that was sent. So there are never two hands at it.
What comes meanwhile only raises `told`, and whoever sent the last message asks for the next reading. Without a reading
goes what follows the last `seq` that was sent, to a socket that waits for nothing else.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import orjson

from services.notifications.config import NotificationsSettings
from services.notifications.domain import CloseCode
from shared.auth.users import User
from shared.db.base import utcnow
from shared.observability import tracing
from shared.observability.metrics import SOCKET_MESSAGES

_SENT = SOCKET_MESSAGES.labels("notifications")


class Closed(Exception):
    """The socket has to be closed with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Transport(Protocol):
    async def send_text(self, data: str) -> None: ...


class Message(NamedTuple):
    seq: int
    text: str
    traceparent: str | None = None


class Connection:
    """One socket of one user. Ten thousand of them wait, so each is small: no task and no queue until there is work."""

    __slots__ = (
        "_backlog",
        "_code",
        "_is_live",
        "_send_timeout",
        "_transport",
        "_writer",
        "is_busy",
        "life",
        "sent",
        "told",
        "user",
        "want_reading",
    )

    def __init__(self, transport: Transport, user: User, settings: NotificationsSettings) -> None:
        self.user = user
        self.sent = self.told = 0
        """The last `seq` that was sent, and the last that there is known to be."""
        self.is_busy = True
        """Whether it is at work on what it was given last; at first on saying that it is ready."""
        self.life: asyncio.Timeout | None = None
        """Set while it is served. Its end is the token's, or at once."""
        self.want_reading: Callable[[Connection], None] | None = None
        self._transport = transport
        self._send_timeout = settings.socket_send_timeout.total_seconds()
        self._backlog = settings.socket_backlog
        self._is_live = False
        self._writer: asyncio.Task[None] | None = None
        self._code = CloseCode.UNAUTHENTICATED

    async def serve(self, last_seq: int, since: int | None) -> None:
        """Say that it is ready, and let what is beyond `since`, or beyond `last_seq`, be sent from now on."""
        await self._send(orjson.dumps({"type": "ready", "last_seq": last_seq}).decode())
        self.sent = last_seq if since is None else min(since, last_seq)
        self.told = max(self.told, last_seq)
        self._rest()

    def tell(self, seq: int) -> None:
        """There are notifications up to this one."""
        self.told = max(self.told, seq)
        if self._is_live and self.told - self.sent > self._backlog:
            self.end(CloseCode.TOO_SLOW)
        elif not self.is_busy and self.told > self.sent and self.want_reading:
            self.want_reading(self)

    def offer(self, messages: Sequence[Message]) -> None:
        """Send what is new, if the socket has all before it and nothing else is on its way; else it will be read."""
        if not self.is_busy and self.told <= self.sent == messages[0].seq - 1:
            self.told = messages[-1].seq
            self.send(messages)

    def send(self, messages: Sequence[Message]) -> None:
        """Begin to send what there is beyond `sent`."""
        self.is_busy = True
        self._writer = asyncio.create_task(self._write(messages))

    async def _write(self, messages: Sequence[Message]) -> None:
        try:
            for seq, text, traceparent in messages:
                began = utcnow()
                await self._send(text)
                self.sent = seq
                tracing.record("notifications", "PRODUCER", "send notification", traceparent, began=began)
        except TimeoutError:
            self.end(CloseCode.TOO_SLOW)
        except Exception:  # noqa: S110 - the client has left, which whoever listens to it is told as well
            pass
        else:
            self._writer = None
            self._rest()

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(self._send_timeout):
            await self._transport.send_text(text)
        _SENT.inc()

    def _rest(self) -> None:
        self.is_busy = False
        # Whoever replays a long absence is not slow, however far behind.
        self._is_live = self._is_live or self.sent >= self.told
        self.tell(self.sent)

    def speak_for(self, user: User) -> None:
        """Live as long as this token does."""
        self.user = user
        if self.life and not self.life.expired():
            self.life.reschedule(asyncio.get_running_loop().time() + user.claims.expires_at - time.time())

    def end(self, code: int) -> None:
        """Have it closed now."""
        if self.life and not self.life.expired():
            self._code = code
            self.life.reschedule(asyncio.get_running_loop().time())

    @property
    def code(self) -> int:
        """Why its life ended."""
        return self._code

    async def stop(self) -> None:
        """Send nothing more."""
        self.is_busy, self.want_reading = True, None
        if self._writer:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
