"""Public answers, kept for the moment for which the service says they may be (RFC 9111, as a shared cache).

Why it is ours and so small: docs/adr/0018-a-cache-of-our-own.md.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.headers import Header
from gateway.proxy import request_target
from shared.http.language import preferred_language
from shared.http.preconditions import ANYTHING, entity_tags
from shared.observability.metrics import CACHE

LARGEST: Final = 2**20
"""Bytes of a body that is kept."""
PATIENCE: Final = 2.0
"""Seconds that a request waits for another's answer before it asks for one of its own."""
_OVERHEAD = 1024
"""Bytes that an entry takes beside its texts, about."""
_REFUSED_FOR, _REFUSED_MOST = 60.0, 4096
"""Seconds for which, and number of keys of which, it is remembered that their answer is none to keep."""

_NEVER_WITH = frozenset(
    {b"authorization", b"range", b"if-range", b"if-match", b"if-unmodified-since", b"if-modified-since"}
    | {b"transfer-encoding"}
)
_VARY = frozenset({"accept-language", "accept-encoding", "authorization", ""})
"""What an answer may vary by: the key has the first two, and a request with the third is not for a cache."""
_OF_A_BODY = frozenset({b"content-length", b"content-type", b"content-encoding", b"content-language"})
_CODINGS = re.compile(r"\b(br|gzip|zstd)\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")

_HIT, _SHARED, _MISS = (CACHE.labels(outcome) for outcome in ("hit", "shared", "miss"))

Key = tuple[bytes, str, str]


class Wish(NamedTuple):
    """A request that can be answered from a cache."""

    key: Key
    known: bytes
    """Its `If-None-Match`."""
    afresh: bool
    """Whether what is kept has to be asked about first."""


@dataclass(slots=True, eq=False)
class Answer:
    """One that is kept: a whole 200. Times are the cache's clock."""

    headers: list[Header]
    body: bytes
    born: float
    lifetime: float
    etag: bytes = b""
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = _OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    def is_fresh(self, now: float) -> bool:
        return now - self.born < self.lifetime

    def refresh(self, headers: Iterable[Header], born: float) -> None:
        """By a 304 (RFC 9111, 4.3.4)."""
        new = [header for header in headers if header[0] not in _OF_A_BODY]
        names = {name for name, _ in new}
        self.headers = [*(header for header in self.headers if header[0] not in names), *new]
        self.born, self.lifetime = born, storable_for(200, self.headers)


@dataclass(slots=True, eq=False)
class Flight:
    """A question to the service that is under way, and those who wait for what comes of it."""

    began: float
    landed: "asyncio.Future[Answer | None]"

    def land(self, answer: Answer | None) -> None:
        if not self.landed.done():
            self.landed.set_result(answer)


class Cache:
    """Plain ASGI, in front of the proxy: answers what it can, and of many who ask the same at once lets one ask."""

    def __init__(self, app: ASGIApp, size: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._size, self._clock = app, size, clock
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._held = 0
        self._flights: dict[Key, Flight] = {}
        self._refused: OrderedDict[Key, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wish = _wish(scope)
        if wish is None:
            return await self._app(scope, receive, send)
        key, now = wish.key, self._clock()
        answer = self._answers.get(key)
        if answer and not wish.afresh and answer.is_fresh(now):
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

    async def _ask(self, kept: Answer | None, wish: Wish, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the service for those who wait, and for the cache. The asker's leaving does not end it."""
        flight = Flight(self._clock(), asyncio.get_running_loop().create_future())
        self._flights[wish.key] = flight
        question = _Question(self, flight, kept, wish, receive, send)
        try:
            await self._app(_unconditional(scope, kept), question.receive, question.send)
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
        if wish.known and answer.etag and _is_known(wish.known, answer.etag):
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
        self._length = self._lifetime = 0.0

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
                answer = _kept_answer(self._start["headers"], bytes(self._gathered), self._flight.began, self._lifetime)
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
            self._kept.refresh(headers, self._flight.began)
            self._flight.land(self._kept)
            return
        lifetime = storable_for(status, headers)
        length = next((value for name, value in headers if name == b"content-length"), b"")
        if lifetime and length.isdigit() and int(length) <= LARGEST:
            self._start, self._lifetime, self._length = start, lifetime, int(length)
            return
        self._passed_on.set()
        self._flight.land(None)
        if status < 500:
            self._cache.drop(self._wish.key)
        if status == 200:
            self._cache.refuse(self._wish.key)
        await self._send(start)


def storable_for(status: int, headers: Iterable[Header]) -> float:
    """Seconds for which a shared cache may answer with this; 0 if it may not (RFC 9111, 3 and 4.2)."""
    lines: dict[bytes, str] = {}
    for name, value in headers:
        lines[name] = f"{lines[name]}, {value.decode('latin-1')}" if name in lines else value.decode("latin-1")
    directives = _directives(lines.get(b"cache-control", ""))
    vary = {name.strip().lower() for name in lines.get(b"vary", "").split(",")}
    if (
        status != 200
        or "public" not in directives
        or not directives.keys().isdisjoint({"private", "no-store", "no-cache"})
        or b"set-cookie" in lines
        or not vary <= _VARY
    ):
        return 0
    try:
        lifetime = int(directives.get("s-maxage", directives.get("max-age", "0")))
        return max(0, lifetime - int(lines.get(b"age", "0")))
    except ValueError:
        return 0


def _wish(scope: Scope) -> Wish | None:
    if scope["method"] not in ("GET", "HEAD"):
        return None
    headers: dict[bytes, bytes] = dict(scope["headers"])
    # A header that comes twice is not worth a cache's while.
    if len(headers) != len(scope["headers"]) or not _NEVER_WITH.isdisjoint(headers):
        return None
    if headers.get(b"content-length", b"0") != b"0":
        return None
    afresh = False
    if asked := headers.get(b"cache-control") or headers.get(b"pragma"):
        directives = _directives(asked.decode("latin-1"))
        if "no-store" in directives:
            return None
        afresh = "no-cache" in directives or directives.get("max-age") == "0"
    language, codings = _normal(headers.get(b"accept-language", b""), headers.get(b"accept-encoding", b""))
    return Wish((request_target(scope), language, codings), headers.get(b"if-none-match", b""), afresh)


@lru_cache(maxsize=1024)
def _normal(accept_language: bytes, accept_encoding: bytes) -> tuple[str, str]:
    """The few kinds of reader that these headers tell apart; else the same could be asked for in any number of ways."""
    codings = sorted(set(_CODINGS.findall(accept_encoding.decode("latin-1").lower())))
    return preferred_language(accept_language.decode("latin-1")), ",".join(codings)


@lru_cache(maxsize=256)
def _directives(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.lower().split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _unconditional(scope: Scope, kept: Answer | None) -> Scope:
    """The request without the asker's own condition, and with ours where something is kept."""
    headers = [header for header in scope["headers"] if header[0] != b"if-none-match"]
    if kept and kept.etag:
        headers.append((b"if-none-match", kept.etag))
    return {**scope, "headers": headers}


def _kept_answer(headers: list[Header], body: bytes, began: float, lifetime: float) -> Answer:
    """With the age it came with, and without our own."""
    etag = next((value for name, value in headers if name == b"etag"), b"")
    return Answer([header for header in headers if header[0] != b"age"], body, began, lifetime, etag)


def _is_known(known: bytes, etag: bytes) -> bool:
    if known == etag:
        return True
    tags = entity_tags([known.decode("latin-1")], weak=True)
    return ANYTHING in tags or etag.decode("latin-1").removeprefix("W/") in tags
