"""The bus of the embedded mode: every service in one process, events kept in the receivers' databases."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from shared.contracts import LISTENERS, Envelope
from shared.messaging.bus import Listener, Note, OutgoingMessage, Receiver

_LISTENERS_BY_NAME = {event.event_name: services for event, services in LISTENERS.items()}


class LocalHub:
    """What connects the `LocalBus`es of one process."""

    def __init__(self) -> None:
        self.receivers: dict[str, Receiver] = {}

    def receiver(self, service: str) -> Receiver:
        if (receiver := self.receivers.get(service)) is None:
            raise ConnectionError(f"{service} has not started yet")
        return receiver


class LocalBus:
    """An event is written into every listener's inbox before it counts as published, so a kill loses nothing."""

    def __init__(self, hub: LocalHub, service: str) -> None:
        self._hub, self._service = hub, service
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    async def start(self, receiver: Receiver) -> None:
        self._hub.receivers[self._service] = receiver

    async def stop(self) -> None:
        self._hub.receivers.pop(self._service, None)

    async def publish(self, messages: Sequence[OutgoingMessage]) -> set[str]:
        to_store: dict[str, list[Envelope]] = defaultdict(list)
        for message in messages:
            for service in _LISTENERS_BY_NAME[message.name]:
                to_store[service].append(Envelope.model_validate_json(message.body))
        inboxes = [(self._hub.receiver(service), envelopes) for service, envelopes in to_store.items()]
        await asyncio.gather(*(inbox.store(envelopes) for inbox, envelopes in inboxes))
        return {message.event_id for message in messages}

    async def broadcast(self, kind: str, note: Note) -> None:
        for listener in self._listeners[kind]:
            listener(note)

    def listen(self, kind: str, listener: Listener) -> None:
        self._listeners[kind].append(listener)

    def on_gap(self, callback: Callable[[], None]) -> None:
        """One process loses no note."""

    @property
    def connected(self) -> bool:
        return self._service in self._hub.receivers
