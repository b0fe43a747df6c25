"""Public answers, kept for the moment for which the service says they may be (RFC 9111, as a shared cache).

Why it is ours and so small: docs/adr/0018-a-cache-of-our-own.md.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.buckets import Clock
from gateway.cache_rules import Key, Wish, age_of, is_known, joined, storable_for, unconditional, wish_of
from gateway.editions import Edition
from gateway.headers import Header
from shared.observability.metrics import CACHE

LARGEST: Final = 2**20
"""Bytes of a body that is kept."""
PATIENCE: Final = 2.0
"""Seconds that a request waits for another's answer before it asks for one of its own."""
_OVERHEAD = 1024
"""Bytes that an entry takes beside its texts, about."""
ANEW_AFTER: Final = 60.0
"""Seconds after which an answer is had anew though its edition is still the service's: a new release may say the same
in other words."""
_REFUSED_FOR, _REFUSED_MOST = 60.0, 4096
"""Seconds for which, and number of keys of which, it is remembered that their answer is none to keep."""

_OF_A_BODY = frozenset({b"content-length", b"content-type", b"content-encoding", b"content-language"})
_HIT, _SHARED, _MISS = (CACHE.labels(outcome) for outcome in ("hit", "shared", "miss"))


@dataclass(slots=True, eq=False)
class Answer:
    """One that is kept: a whole 200, asked for at a moment of the cache's clock."""

    headers: list[Header]
    body: bytes
    asked_at: float
    edition: int
    """That of the service's public content which it is at least of."""
    born: float = field(init=False)
    lifetime: float = field(init=False)
    etag: bytes = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self._date()
        self.size = _OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    def is_fresh(self, now: float) -> bool:
        return now - self.born < self.lifetime

    def refresh(self, headers: Iterable[Header], asked_at: float, edition: int) -> None:
        """By a 304 (RFC 9111, 4.3.4)."""
        self.asked_at, self.edition = asked_at, edition
        new = [header for header in headers if header[0] not in _OF_A_BODY]
        names = {name for name, _ in new}
        self.headers = [*(header for header in self.headers if header[0] not in names), *new]
        self._date()

    def _date(self) -> None:
        said = joined(self.headers)
        self.born = self.asked_at - age_of(said)
        self.lifetime = storable_for(200, self.headers)
        self.etag = said.get(b"etag", "").encode("latin-1")
        self.headers = [header for header in self.headers if header[0] != b"age"]


@dataclass(slots=True, eq=False)
class Flight:
    """A question to the service that is under way, and those who wait for what comes of it."""

    began: float
    edition: int
    landed: "asyncio.Future[Answer | None]"

    def land(self, answer: Answer | None) -> None:
        if not self.landed.done():
            self.landed.set_result(answer)


class Cache:
    """Plain ASGI, in front of the proxy: answers what it can, and of many who ask the same at once lets one ask."""

    def __init__(
        self, app: ASGIApp, size: int, editions: Mapping[str, Edition], *, clock: Clock = time.monotonic
    ) -> None:
        """`size` in bytes; `editions` of the services that have them."""
        self._app, self._size, self._editions, self._clock = app, size, editions, clock
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._held = 0
        self._flights: dict[Key, Flight] = {}
        self._refused: OrderedDict[Key, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wish = wish_of(scope)
        if wish is None:
            return await self._app(scope, receive, send)
        key, now = wish.key, self._clock()
        answer = self._answers.get(key)
        if answer and not wish.afresh and (answer.is_fresh(now) or await self._is_confirmed(answer, scope)):
            if key in self._answers:  # which it may not be any more, where that had to be asked
                self._answers.move_to_end(key)
            _HIT.inc()
            return await self._answer(answer, wish, scope, send)
        if self._refused.get(key, now) > now:
            return await self._app(scope, receive, send)
        flight = self._flights.get(key)
        if flight and now - flight.began < PATIENCE:
            await asyncio.wait([flight.landed], timeout=PATIENCE)
            if flight.landed.done() and (landed := flight.landed.result()):
                _SHARED.inc()
                return await self._answer(landed, wish, scope, send)
        elif scope["method"] == "GET":
            _MISS.inc()
            return await self._ask(answer, wish, scope, receive, send)
        _MISS.inc()
        return await self._app(scope, receive, send)

    async def _is_confirmed(self, answer: Answer, scope: Scope) -> bool:
        """Whether an answer whose time is over has more of it, since nothing that is public there has changed."""
        edition = self._editions.get(scope["route"].service)
        if edition is None or self._clock() - answer.asked_at >= ANEW_AFTER:
            return False
        confirmed_at = await edition.confirmed_at()
        if confirmed_at is None or answer.edition != edition.number:
            return False
        answer.born = max(answer.born, confirmed_at)
        return answer.is_fresh(self._clock())

    async def _ask(self, kept: Answer | None, wish: Wish, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the service for those who wait, and for the cache. The asker's leaving does not end it."""
        edition = self._editions.get(scope["route"].service)
        flight = Flight(self._clock(), edition.number if edition else 0, asyncio.get_running_loop().create_future())
        self._flights[wish.key] = flight
        question = _Question(self, flight, kept, wish, receive, send)
        try:
            await self._app(unconditional(scope, kept.etag if kept else b""), question.receive, question.send)
        finally:
            flight.land(None)
            if self._flights.get(wish.key) is flight:
                del self._flights[wish.key]
        if answer := flight.landed.result():
            await self._answer(answer, wish, scope, send)
        else:
            await question.give_up()

    async def _answer(self, answer: Answer, wish: Wish, scope: Scope, send: Send) -> None:
        age: Header = (b"age", b"%d" % max(0, self._clock() - answer.born))
        if wish.known and answer.etag and is_known(wish.known, answer.etag):
            headers = [header for header in answer.headers if header[0] not in _OF_A_BODY]
            await send({"type": "http.response.start", "status": 304, "headers": [*headers, age]})
            await send({"type": "http.response.body"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [*answer.headers, age]})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    def keep(self, key: Key, answer: Answer) -> None:
        self.drop(key)
        self._answers[key] = answer
        self._held += answer.size
        while self._held > self._size:
            _, oldest = self._answers.popitem(last=False)
            self._held -= oldest.size

    def drop(self, key: Key) -> None:
        if answer := self._answers.pop(key, None):
            self._held -= answer.size

    def refuse(self, key: Key) -> None:
        """Let requests pass that ask for what can't be kept, each by itself."""
        self._refused[key] = self._clock() + _REFUSED_FOR
        self._refused.move_to_end(key)
        if len(self._refused) > _REFUSED_MOST:
            self._refused.popitem(last=False)


class _Question:
    """The asker's ends of the exchange: what may be kept is gathered first, what may not is passed on as it comes."""

    def __init__(
        self, cache: Cache, flight: Flight, kept: Answer | None, wish: Wish, receive: Receive, send: Send
    ) -> None:
        self._cache, self._flight, self._kept, self._wish = cache, flight, kept, wish
        self._receive, self._send = receive, send
        self._asked = False
        self._passed_on = asyncio.Event()
        self._start: Message = {}
        self._gathered = bytearray()
        self._length = 0

    async def receive(self) -> Message:
        """No body, and then nothing: that the asker left matters only once the answer is theirs alone."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._passed_on.wait()
        return await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._passed_on.is_set():
            await self._send(message)
        elif not self._flight.landed.done():
            self._gathered += message.get("body", b"")
            if not message.get("more_body") and len(self._gathered) == self._length:
                answer = Answer(self._start["headers"], bytes(self._gathered), self._flight.began, self._flight.edition)
                self._cache.keep(self._wish.key, answer)
                self._flight.land(answer)

    async def give_up(self) -> None:
        """Give the asker what has come of an answer that broke off; they see that it is not whole."""
        if self._start and not self._passed_on.is_set():
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": bytes(self._gathered), "more_body": True})

    async def _begin(self, start: Message) -> None:
        status, headers = start["status"], start["headers"]
        if status == 304 and self._kept:
            self._kept.refresh(headers, self._flight.began, self._flight.edition)
            self._flight.land(self._kept)
            return
        length = next((value for name, value in headers if name == b"content-length"), b"")
        if storable_for(status, headers) and length.isdigit() and int(length) <= LARGEST:
            self._start, self._length = start, int(length)
            return
        self._passed_on.set()
        self._flight.land(None)
        if status < 500:
            self._cache.drop(self._wish.key)
        if status == 200:
            self._cache.refuse(self._wish.key)
        await self._send(start)
