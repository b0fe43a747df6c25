"""The instances of a service: which one a request goes to, and what is learnt of it by how that went."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Final, Literal

import httpx
from websockets.exceptions import InvalidHandshake, InvalidStatus

from gateway.breaker import Breaker, BreakerSettings
from shared.errors import Unavailable

FAILURES: Final = (httpx.TransportError, TimeoutError, OSError, InvalidHandshake)
"""No connection, an end before the first byte of an answer, silence. Any answer is an answer, also a 500."""


Kind = Literal["exchanges", "sockets"]


class Instance:
    """An address of a service, and what is with it now."""

    def __init__(self, url: str, breaker: Breaker) -> None:
        self.url, self.breaker = httpx.URL(url), breaker
        self.load: dict[Kind, int] = {"exchanges": 0, "sockets": 0}


class Pool:
    """Chooses the least busy instance of those that are well, in turn where they are equally so."""

    def __init__(self, service: str, urls: Sequence[str], breaker: BreakerSettings) -> None:
        self._service = service
        self._instances = [Instance(url, Breaker(breaker)) for url in urls]
        self._turn = count()

    def choose(self, kind: Kind, instead_of: Instance | None = None) -> Instance:
        """An instance to ask; not `instead_of`, if there is another. Raises Unavailable while all breakers are open."""
        first = next(self._turn) % len(self._instances)
        well = [i for i in self._instances[first:] + self._instances[:first] if not i.breaker.is_open]
        if not well:
            wait = min(instance.breaker.tried_in for instance in self._instances)
            detail = f"The {self._service} service is away for now."
            raise Unavailable(detail, retry_after=max(1, math.ceil(wait)))
        return min(well, key=lambda i: (i is instead_of, i.breaker.rests, i.load[kind]))


@contextmanager
def attempt(instance: Instance, kind: Kind, timed_out: Callable[[], bool]) -> Iterator[None]:
    """Count it as load, until it fails or the caller ends it, and tell the breaker how it went.

    `timed_out` says of a cancellation whether it is the instance's fault.
    """
    breaker = instance.breaker
    probe = breaker.begin()
    instance.load[kind] += 1
    try:
        yield
    except BaseException as error:
        instance.load[kind] -= 1
        if isinstance(error, InvalidStatus):
            breaker.succeeded()  # a refused handshake is an answer
        elif isinstance(error, FAILURES) or (isinstance(error, asyncio.CancelledError) and timed_out()):
            breaker.failed(probe=probe)
        else:
            breaker.abandoned(probe=probe)
        raise
    breaker.succeeded()
