"""The bus over RabbitMQ, by FastStream: persistent messages, publisher confirms, quorum queues.

The topology is made whole by every service from the one table `LISTENERS`, so that whoever is first up loses nothing:
exchange `marketplace.events` (topic), a queue `<service>.<event name>` a listener, and `marketplace.dead` with
`<service>.dead` for what the broker itself gives up. Notes between instances go over `marketplace.notes`.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

import orjson
import structlog
from aiormq.abc import AbstractChannel
from faststream.middlewares import AckPolicy
from faststream.rabbit import Channel, ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from pydantic import ValidationError
from yarl import URL

from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts import LISTENERS, Envelope
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.acknowledging import Acknowledgements
from shared.messaging.bus import Listener, Note, OutgoingMessage, Receiver

DELIVERY_LIMIT = 100
"""Deliveries of one message, each ended by a crash, after which the broker gives it up. Failures don't count."""
STOPS_WITHIN = 5.0
"""Seconds that handlers at work have to end: as long as one statement of theirs may take."""
GOODBYE = 2.0
"""Seconds after that in which the broker has to answer that we leave."""

EVENTS = RabbitExchange("marketplace.events", type=ExchangeType.TOPIC, durable=True)
DEAD = RabbitExchange("marketplace.dead", type=ExchangeType.DIRECT, durable=True)
NOTES = RabbitExchange("marketplace.notes", type=ExchangeType.DIRECT, durable=True)

log = structlog.get_logger()


def event_queue(service: str, event_name: str) -> RabbitQueue:
    return RabbitQueue(
        f"{service}.{event_name}",
        queue_type=QueueType.QUORUM,
        durable=True,
        routing_key=event_name,
        arguments={
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": DEAD.name,
            "x-dead-letter-routing-key": service,
            "x-dead-letter-strategy": "at-least-once",
        },
    )


def dead_queue(service: str) -> RabbitQueue:
    """What the broker itself gave up of the service's messages."""
    return RabbitQueue(f"{service}.dead", queue_type=QueueType.QUORUM, durable=True)


def topology() -> list[tuple[RabbitQueue, RabbitExchange, str]]:
    """Every queue, with the exchange and the routing key that it is bound by; dead letters' first."""
    everyone = {service for services in LISTENERS.values() for service in services}
    return [
        *((dead_queue(service), DEAD, service) for service in everyone),
        *(
            (event_queue(service, event.event_name), EVENTS, event.event_name)
            for event, services in LISTENERS.items()
            for service in services
        ),
    ]


class RabbitBus:
    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self._service = service
        self._url = str(URL(settings.rabbitmq_url or "").update_query(heartbeat=10))
        self._reconnect_delay = settings.reconnect_delay.total_seconds()
        self._database_retry = settings.database_retry.total_seconds()
        self._instance = str(new_id())
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)
        self._after_gaps: list[Callable[[], None]] = []
        self._publisher: RabbitBroker | None = None
        self._consumer: RabbitBroker | None = None
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
        brokers = [broker for broker in (self._consumer, self._publisher) if broker is not None]
        ending = [*self._tasks, *(asyncio.create_task(broker.stop()) for broker in brokers)]
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
        brokers = (self._publisher, self._consumer)
        return all(broker is not None and _is_connected(broker) for broker in brokers)

    async def publish(self, messages: Sequence[OutgoingMessage]) -> set[str]:
        broker = self._publisher
        if broker is None:
            raise ConnectionError("not connected to RabbitMQ")
        publish = broker.publish
        outcomes = await asyncio.gather(
            *(
                publish(
                    message.body,
                    exchange=EVENTS,
                    routing_key=message.name,
                    message_id=message.event_id,
                    content_type="application/json",
                    persist=True,
                    mandatory=True,
                )
                for message in messages
            ),
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

    async def broadcast(self, kind: str, note: Note) -> None:
        self._tell(kind, note)
        if self._publisher is not None:
            body = {"kind": kind, "instance": self._instance, "note": note}
            self._spawn(self._send_note(self._publisher, orjson.dumps(body)))

    def _tell(self, kind: str, note: Note) -> None:
        for listener in self._listeners[kind]:
            listener(note)

    async def _send_note(self, broker: RabbitBroker, body: bytes) -> None:
        try:
            await broker.publish(body, exchange=NOTES, routing_key=self._service, mandatory=False)
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

    def _broker(self, channel: Channel) -> RabbitBroker:
        return RabbitBroker(
            self._url,
            timeout=5,
            reconnect_interval=self._reconnect_delay,
            default_channel=channel,
            app_id=self._service,
            graceful_timeout=STOPS_WITHIN,
            logger=None,
            apply_types=False,
        )

    async def _start_publisher(self) -> None:
        broker = self._broker(Channel(publisher_confirms=True, on_return_raises=True))
        try:
            await broker.start()
            await self._declare_topology(broker)
        except BaseException:
            await broker.stop()
            raise
        self._publisher = broker

    async def _declare_topology(self, broker: RabbitBroker) -> None:
        exchanges = {EVENTS.name: await broker.declare_exchange(EVENTS), DEAD.name: await broker.declare_exchange(DEAD)}
        await broker.declare_exchange(NOTES)
        for queue, exchange, routing_key in topology():
            declared = await broker.declare_queue(queue)
            await declared.bind(exchanges[exchange.name], routing_key=routing_key)

    async def _start_consumer(self, receiver: Receiver) -> None:
        broker = self._broker(Channel(prefetch_count=receiver.at_once))

        async def take(message: RabbitMessage) -> None:
            await self._take(receiver, message)

        for event, services in LISTENERS.items():
            if self._service in services:
                queue = event_queue(self._service, event.event_name)
                subscriber = broker.subscriber(
                    queue, EVENTS, ack_policy=AckPolicy.MANUAL, decoder=_undecoded, no_reply=True
                )
                subscriber(take)
        notes = RabbitQueue(
            f"{self._service}.notes.{self._instance}",
            durable=True,
            auto_delete=True,
            routing_key=self._service,
            arguments={"x-expires": 60_000},
        )
        subscriber = broker.subscriber(notes, NOTES, ack_policy=AckPolicy.ACK_FIRST, decoder=_undecoded, no_reply=True)
        subscriber(self._take_note)
        try:
            await broker.start()
        except BaseException:
            await broker.stop()
            raise
        self._consumer = broker
        self._note_gap()
        if (connection := broker._connection) is not None:
            connection.reconnect_callbacks.add(self._note_gap)

    def _note_gap(self, *_: object) -> None:
        for callback in self._after_gaps:
            callback()

    async def _take(self, receiver: Receiver, message: RabbitMessage) -> None:
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

    def _acknowledgements(self, message: RabbitMessage) -> Acknowledgements:
        """Of the channel that the message came by: after each reconnection that is another."""
        channel = message.raw_message.channel
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

    async def _take_note(self, message: RabbitMessage) -> None:
        self._acknowledgements(message).settle(_tag_of(message))  # FastStream has said so
        body = orjson.loads(message.body)
        if body["instance"] != self._instance:
            self._tell(body["kind"], body["note"])

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tag_of(message: RabbitMessage) -> int:
    return message.raw_message.delivery_tag or 0


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    return message


def _is_connected(broker: RabbitBroker) -> bool:
    connection = broker._connection
    return connection is not None and not connection.is_closed and connection.connected.is_set()
