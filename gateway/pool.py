"""The instances of a service: which one a request goes to, and what is learnt of it by how that went."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Final, Literal, TypeVar

import httpx
from websockets.exceptions import InvalidHandshake, InvalidStatus

from gateway.breaker import Breaker, BreakerSettings
from shared.errors import Unavailable
from shared.observability.metrics import BREAKER

FAILURES: Final = (httpx.TransportError, TimeoutError, OSError, InvalidHandshake)
"""No connection, an end before the first byte of an answer, silence. Any answer is an answer, also a 500."""


T = TypeVar("T")
Kind = Literal["exchanges", "sockets"]


class Instance:
    """An address of a service, and what is with it now."""

    def __init__(self, url: str, breaker: Breaker) -> None:
        self.url, self.breaker = httpx.URL(url), breaker
        self.load: dict[Kind, int] = {"exchanges": 0, "sockets": 0}


class Pool:
    """Chooses the least busy instance of those that are well, in turn where they are equally so."""

    def __init__(self, service: str, urls: Sequence[str], breaker: BreakerSettings) -> None:
        self._service, self._breaker = service, breaker
        self._instances: list[Instance] = []
        self._turn = count()
        self.renew(urls)

    def renew(self, urls: Sequence[str]) -> None:
        """The instances are at `urls` now. What is known of those that stay is kept; what the others do goes on."""
        known = {str(instance.url): instance for instance in self._instances}
        self._instances = [known.pop(url) if url in known else self._new(url) for url in dict.fromkeys(urls)]
        for gone in known:
            BREAKER.remove(self._service, gone)

    def _new(self, url: str) -> Instance:
        breaker = Breaker(self._breaker)
        BREAKER.labels(self._service, url).set_function(lambda: breaker.is_open)
        return Instance(url, breaker)

    def choose(self, kind: Kind, instead_of: Instance | None = None) -> Instance:
        """An instance to ask; not `instead_of`, if there is another. Raises Unavailable while all breakers are open."""
        instances = self._instances
        if len(instances) > 1:  # each in its turn goes before those that are as good
            first = next(self._turn) % len(instances)
            instances = instances[first:] + instances[:first]
        well = [instance for instance in instances if not instance.breaker.is_open]
        if not well:
            wait = min(instance.breaker.tried_in for instance in self._instances)
            detail = f"The {self._service} service is away for now."
            raise Unavailable(detail, retry_after=max(1, math.ceil(wait)))
        if len(well) == 1:
            return well[0]
        return min(well, key=lambda i: (i is instead_of, i.breaker.rests, i.load[kind]))


async def attempt(
    instance: Instance, kind: Kind, ask: Callable[[Instance], Awaitable[T]], timed_out: Callable[[], bool]
) -> T:
    """What `ask` gets of it. Until that fails, or the caller ends it, it counts as load; the breaker hears how it went.

    `timed_out` says of a cancellation whether it is the instance's fault.
    """
    breaker = instance.breaker
    probe = breaker.begin()
    instance.load[kind] += 1
    try:
        answer = await ask(instance)
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
    return answer
