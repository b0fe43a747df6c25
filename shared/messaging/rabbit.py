"""The bus over RabbitMQ, by aio-pika: persistent messages, publisher confirms, and the queues of `topology`."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

import aio_pika
import orjson
import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import (
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
    AbstractRobustConnection,
    ConsumerTag,
)
from aiormq.abc import AbstractChannel
from pydantic import ValidationError
from yarl import URL

from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts import LISTENERS, Envelope
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.acknowledging import Acknowledgements
from shared.messaging.bus import Listener, Note, OutgoingMessage, Receiver
from shared.messaging.topology import EVENTS, NOTES, Queue, declare, declare_queues, event_queue, notes_queue, topology

STOPS_WITHIN = 5.0
"""Seconds that handlers at work have to end: as long as one statement of theirs may take."""
GOODBYE = 2.0
"""Seconds after that in which the broker has to answer that we leave."""

log = structlog.get_logger()


class RabbitBus:
    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self._service = service
        self._url = str(URL(settings.rabbitmq_url or "").update_query(heartbeat=10))
        self._reconnect_delay = settings.reconnect_delay.total_seconds()
        self._database_retry = settings.database_retry.total_seconds()
        self._instance = str(new_id())
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)
        self._after_gaps: list[Callable[[], None]] = []
        self._publisher: _Publisher | None = None
        self._consumer: _Consumer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._channels: WeakKeyDictionary[AbstractChannel, Acknowledgements] = WeakKeyDictionary()

    async def start(self, receiver: Receiver) -> None:
        # Two connections, so that a publisher that the broker slows down never holds up acknowledgements.
        self._spawn(self._connect(self._start_publisher))
        self._spawn(self._connect(lambda: self._start_consumer(receiver)))

    async def stop(self) -> None:
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        ends = [end.stop() for end in (self._consumer, self._publisher) if end is not None]
        ending = [*self._tasks, *map(asyncio.create_task, ends)]
        # Whoever says goodbye to a broker that hangs would wait for its answer, through every time limit on the way.
        # What is not acknowledged by then will be delivered again.
        if ending:
            _, hanging = await asyncio.wait(ending, timeout=STOPS_WITHIN + GOODBYE)
            for task in hanging:
                task.cancel()

    def listen(self, kind: str, listener: Listener) -> None:
        self._listeners[kind].append(listener)

    def on_gap(self, callback: Callable[[], None]) -> None:
        self._after_gaps.append(callback)

    @property
    def connected(self) -> bool:
        ends = (self._publisher, self._consumer)
        return all(end is not None and _is_connected(end.connection) for end in ends)

    async def publish(self, messages: Sequence[OutgoingMessage]) -> set[str]:
        if self._publisher is None:
            raise ConnectionError("not connected to RabbitMQ")
        publish = self._publisher.events.publish
        outcomes = await asyncio.gather(
            *(publish(self._persistent(message), message.name, mandatory=True) for message in messages),
            # A lost channel ends its publishes as cancelled; they are failures here, not the end of the relay.
            return_exceptions=True,
        )
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if len(errors) == len(messages):
            raise ConnectionError(f"RabbitMQ took no event: {errors[0]!r}")
        return {
            message.event_id
            for message, outcome in zip(messages, outcomes, strict=True)
            if not isinstance(outcome, BaseException)
        }

    def _persistent(self, message: OutgoingMessage) -> Message:
        return Message(
            message.body,
            message_id=message.event_id,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            app_id=self._service,
        )

    async def broadcast(self, kind: str, note: Note) -> None:
        self._tell(kind, note)
        if self._publisher is not None:
            body = {"kind": kind, "instance": self._instance, "note": note}
            self._spawn(self._send_note(self._publisher.notes, orjson.dumps(body)))

    def _tell(self, kind: str, note: Note) -> None:
        for listener in self._listeners[kind]:
            listener(note)

    async def _send_note(self, notes: AbstractExchange, body: bytes) -> None:
        try:
            await notes.publish(Message(body), self._service, mandatory=False)
        except Exception as error:
            log.debug("note_is_lost", error=repr(error))

    async def _connect(self, start: Callable[[], Awaitable[None]]) -> None:
        """Try until it has worked once; after that aio-pika reconnects by itself, and declares everything again."""
        told = False
        while True:
            try:
                return await start()
            except Exception as error:
                log.log(logging.DEBUG if told else logging.WARNING, "rabbitmq_is_away", error=repr(error))
                told = True
                await asyncio.sleep(self._reconnect_delay)

    async def _open(self) -> AbstractRobustConnection:
        return await aio_pika.connect_robust(self._url, timeout=5, reconnect_interval=self._reconnect_delay)

    async def _start_publisher(self) -> None:
        connection = await self._open()
        try:
            channel = await connection.channel(on_return_raises=True)
            events, notes = await declare(channel, EVENTS), await declare(channel, NOTES)
            await declare_queues(channel, topology())
        except BaseException:
            await connection.close()
            raise
        self._publisher = _Publisher(connection, events, notes)

    async def _start_consumer(self, receiver: Receiver) -> None:
        async def take(message: AbstractIncomingMessage) -> None:
            await self._take(receiver, message)

        consumer = _Consumer(await self._open())
        try:
            mine = [
                event_queue(self._service, event.event_name)
                for event, services in LISTENERS.items()
                if self._service in services
            ]
            await consumer.consume(mine, take, prefetch_count=receiver.at_once)
            # On a channel of its own: what is delivered on that of events is counted for their acknowledgements.
            await consumer.consume([notes_queue(self._service, self._instance)], self._take_note, no_ack=True)
        except BaseException:
            await consumer.connection.close()
            raise
        self._consumer = consumer
        self._note_gap()
        consumer.connection.reconnect_callbacks.add(self._note_gap)

    def _note_gap(self, *_: object) -> None:
        for callback in self._after_gaps:
            callback()

    async def _take(self, receiver: Receiver, message: AbstractIncomingMessage) -> None:
        try:
            envelope = Envelope.model_validate_json(message.body)
        except ValidationError as error:
            log.error("message_is_no_envelope", message_id=message.message_id, error=str(error))
            await message.reject()
            self._acknowledgements(message).settle(_tag_of(message))
            return
        while not await self._taken(receiver, envelope):
            # Waiting here and not by a nack: a nack spends the delivery limit, and a database that is away for
            # seconds would send the whole queue to the dead letters.
            if await woken(self._stopping, self._database_retry):
                return  # unacknowledged, so it goes to whoever comes next
        await self._acknowledgements(message).acknowledge(_tag_of(message))

    def _acknowledgements(self, message: AbstractIncomingMessage) -> Acknowledgements:
        """Of the channel that the message came by: after each reconnection that is another."""
        channel = message.channel
        if channel not in self._channels:
            basic_ack = WeakMethod(channel.basic_ack)  # or the channel would be kept for good, by what is kept for it

            async def send(tag: int, multiple: bool) -> None:
                if acknowledge := basic_ack():
                    await acknowledge(tag, multiple=multiple)

            self._channels[channel] = Acknowledgements(send)
        return self._channels[channel]

    async def _taken(self, receiver: Receiver, envelope: Envelope) -> bool:
        try:
            await receiver.receive(envelope)
        except Unavailable as error:
            log.debug("message_waits", event_id=str(envelope.id), error=str(error))
        except Exception:
            log.exception("message_waits", event_id=str(envelope.id))
        else:
            return True
        return False

    async def _take_note(self, message: AbstractIncomingMessage) -> None:
        body = orjson.loads(message.body)
        if body["instance"] != self._instance:
            self._tell(body["kind"], body["note"])

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True)
class _Publisher:
    connection: AbstractRobustConnection
    events: AbstractExchange
    notes: AbstractExchange

    async def stop(self) -> None:
        await self.connection.close()


class _Consumer:
    """A connection that messages come by."""

    def __init__(self, connection: AbstractRobustConnection) -> None:
        self.connection = connection
        self._consumed: list[tuple[AbstractQueue, ConsumerTag]] = []
        self._at_work: set[asyncio.Task[Any]] = set()

    async def consume(
        self,
        queues: Sequence[Queue],
        take: Callable[[AbstractIncomingMessage], Awaitable[None]],
        *,
        prefetch_count: int = 0,
        no_ack: bool = False,
    ) -> None:
        """Declare them on a channel of their own, and take what comes: each message in a task."""

        async def track(message: AbstractIncomingMessage) -> None:
            if task := asyncio.current_task():
                self._at_work.add(task)
                task.add_done_callback(self._at_work.discard)
            await take(message)

        channel = await self.connection.channel()
        await channel.set_qos(prefetch_count)
        for queue in await declare_queues(channel, queues):
            self._consumed.append((queue, await queue.consume(track, no_ack)))

    async def stop(self) -> None:
        """Take no more, wait for those at work, and leave."""
        if _is_connected(self.connection):
            await asyncio.gather(*(queue.cancel(tag) for queue, tag in self._consumed), return_exceptions=True)
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=STOPS_WITHIN)
        await self.connection.close()


def _is_connected(connection: AbstractRobustConnection) -> bool:
    return not connection.is_closed and connection.connected.is_set()


def _tag_of(message: AbstractIncomingMessage) -> int:
    return message.delivery_tag or 0
