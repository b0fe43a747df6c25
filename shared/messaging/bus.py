"""The port between a service and whatever carries its events."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from shared.contracts import Envelope, Event
from shared.db import Session
from shared.observability.context import current_traceparent

Handler = Callable[[Session, Any], Awaitable[None]]
"""`async def handle(session, event)`: writes in the given transaction, and neither commits nor calls anyone."""


class Received(NamedTuple):
    """An event of a batch, and where the handling of it stands in its trace."""

    event: Any
    traceparent: str | None


BatchHandler = Callable[[Session, Sequence[Received]], Awaitable[None]]
"""As a `Handler`, of several events at once, oldest first: all of them take effect, or none."""

Note = dict[str, Any]
Listener = Callable[[Note], None]


class Undeliverable(Exception):
    """The message can never be handled, however often it is tried."""


@dataclass(frozen=True)
class OutgoingMessage:
    """One event as the outbox holds it: the relay and the bus need to know nothing more of it."""

    event_id: str
    name: str
    body: bytes


class Subscriptions:
    """Which events a service handles, and how. Filled once by the service's `events.register`."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, int], tuple[type[Event], Handler]] = {}
        self._batch_handler: BatchHandler | None = None
        self.batched: set[str] = set()
        """Names of the events that are handled several at once."""
        self.patience = timedelta()
        """How long they may wait for more of them, from the beginning of the batch before."""

    def subscribe(self, event: type[Event], handler: Handler) -> None:
        self._handlers[event.event_name, event.event_version] = (event, handler)

    def subscribe_batch(self, handler: BatchHandler, *events: type[Event], patience: timedelta = timedelta()) -> None:
        """Handle events of these kinds several in one transaction, as many as have come. One handler a service.

        With `patience`, for what nobody waits for: so long after a batch has begun the next one gathers.
        """
        if self._batch_handler:
            raise RuntimeError("there is a batch handler already")
        self.patience = patience

        async def handle_one(session: Session, event: Event) -> None:
            await handler(session, [Received(event, current_traceparent())])

        self._batch_handler = handler
        for event in events:
            self.subscribe(event, handle_one)
            self.batched.add(event.event_name)

    def names(self) -> set[str]:
        return {name for name, _ in self._handlers}

    async def handle(self, session: Session, envelope: Envelope) -> None:
        """Translate the envelope and call its handler. Raise `Undeliverable` where nothing can ever handle it."""
        event, handler = self._translate(envelope)
        await handler(session, event)

    async def handle_batch(self, session: Session, envelopes: Iterable[Envelope]) -> None:
        """Translate envelopes of `batched` events and have them handled in one call. Raises as `handle`."""
        received = [Received(self._translate(envelope)[0], envelope.traceparent) for envelope in envelopes]
        if received and self._batch_handler:
            await self._batch_handler(session, received)

    def _translate(self, envelope: Envelope) -> tuple[Event, Handler]:
        try:
            event_class, handler = self._handlers[envelope.name, envelope.version]
        except KeyError:
            raise Undeliverable(f"no handler for {envelope.name} version {envelope.version}") from None
        try:
            return event_class.model_validate(envelope.data), handler
        except ValidationError as error:
            raise Undeliverable(f"{envelope.name} does not hold what it should: {error}") from error


class Receiver(Protocol):
    """What a bus delivers to: the service's inbox."""

    @property
    def at_once(self) -> int:
        """How many events of one queue it likes to be given before it is done with the first of them."""

    async def receive(self, envelope: Envelope) -> None:
        """Handle it once, or keep it. Raises `Unavailable` where it has to be delivered again."""

    async def store(self, envelopes: list[Envelope]) -> None:
        """Keep it to be handled soon. Raises `Unavailable`."""


class Bus(Protocol):
    """At-least-once delivery of events to every service that listens, and best-effort notes between instances.

    Two adapters: `RabbitBus` and `LocalBus`. Services never see which.
    """

    async def start(self, receiver: Receiver) -> None:
        """Begin to deliver. Returns at once also where the carrier is away: it is tried until it is back."""

    async def stop(self) -> None:
        """Stop taking messages, let running handlers end, close connections."""

    async def publish(self, messages: Sequence[OutgoingMessage]) -> set[str]:
        """Hand over events, and return the ids of those that are safe with the carrier. Raise if none is."""

    async def broadcast(self, kind: str, note: Note) -> None:
        """Tell every instance of this service, this one too. A note may be lost; a sweep must make up for it."""

    def listen(self, kind: str, listener: Listener) -> None:
        """Call `listener` with each note of that kind. Before `start`."""

    def on_gap(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each time that notes may have been lost on the way here. Before `start`."""

    @property
    def connected(self) -> bool:
        """Whether events can leave and arrive just now; for health and metrics only."""
