"""What the broker is told, and when an event counts as taken by it."""

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from aio_pika import DeliveryMode, ExchangeType, Message

from shared.contracts import LISTENERS
from shared.messaging.bus import OutgoingMessage
from shared.messaging.rabbit import RabbitBus
from shared.messaging.topology import DEAD, EVENTS, NOTES, event_queue, notes_queue, topology
from tests.unit.factories import settings

MESSAGES = [OutgoingMessage(f"id-{number}", "order.created", b"{}") for number in range(4)]


class Events:
    """The exchange: confirms every message but those it was told to fail."""

    def __init__(self, **failures: BaseException) -> None:
        self.failures = {name.replace("_", "-"): error for name, error in failures.items()}
        self.published: list[tuple[Message, str, bool]] = []

    async def publish(self, message: Message, routing_key: str, *, mandatory: bool) -> None:
        if error := self.failures.get(message.message_id or ""):
            raise error
        self.published.append((message, routing_key, mandatory))


def bus_over(events: Any) -> RabbitBus:
    bus, publisher = RabbitBus("orders", settings(rabbitmq_url="amqp://nobody@localhost:1/")), SimpleNamespace()
    publisher.connection, publisher.events, publisher.notes = SimpleNamespace(is_closed=True), events, None
    bus._publisher = publisher if events else None  # type: ignore[assignment]
    return bus


def test_a_listener_has_a_quorum_queue_for_each_event_that_loses_nothing() -> None:
    queue = event_queue("payments", "order.created")

    assert (queue.name, queue.exchange, queue.routing_key) == ("payments.order.created", EVENTS, "order.created")
    assert not queue.auto_delete
    assert queue.arguments == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 100,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "marketplace.dead",
        "x-dead-letter-routing-key": "payments",
        "x-dead-letter-strategy": "at-least-once",
    }


def test_no_two_listeners_share_a_queue() -> None:
    queues = [queue.name for queue in topology() if queue.exchange is EVENTS]
    assert len({*queues}) == len(queues) == sum(map(len, LISTENERS.values()))


def test_notes_go_with_who_listened_to_them() -> None:
    queue = notes_queue("payments", "7")

    assert (queue.name, queue.exchange, queue.routing_key) == ("payments.notes.7", NOTES, "payments")
    assert (queue.auto_delete, queue.arguments) == (True, {"x-expires": 60_000})


def test_the_exchanges_are_those_of_the_contract() -> None:
    assert [(exchange.name, exchange.type) for exchange in (EVENTS, DEAD, NOTES)] == [
        ("marketplace.events", ExchangeType.TOPIC),
        ("marketplace.dead", ExchangeType.DIRECT),
        ("marketplace.notes", ExchangeType.DIRECT),
    ]


async def test_an_event_is_published_persistent_mandatory_and_under_its_id_and_name() -> None:
    events = Events()

    assert await bus_over(events).publish(MESSAGES[:1]) == {"id-0"}
    [(message, routing_key, mandatory)] = events.published
    assert (routing_key, mandatory) == ("order.created", True)
    assert (message.body, message.message_id, message.app_id) == (b"{}", "id-0", "orders")
    assert (message.content_type, message.delivery_mode) == ("application/json", DeliveryMode.PERSISTENT)


@pytest.mark.parametrize("error", [ConnectionError("closed"), TimeoutError(), asyncio.CancelledError()], ids=repr)
async def test_of_a_batch_those_that_the_broker_confirmed_are_published(error: BaseException) -> None:
    assert await bus_over(Events(id_1=error, id_3=error)).publish(MESSAGES) == {"id-0", "id-2"}


@pytest.mark.parametrize("error", [ConnectionError("closed"), asyncio.CancelledError()], ids=repr)
async def test_a_broker_that_took_none_is_an_error(error: BaseException) -> None:
    with pytest.raises(ConnectionError):
        await bus_over(Events(**{f"id_{number}": error for number in range(4)})).publish(MESSAGES)


async def test_without_a_connection_nothing_is_published_and_nothing_is_connected() -> None:
    bus = bus_over(None)
    with pytest.raises(ConnectionError):
        await bus.publish(MESSAGES)
    assert not bus.connected


async def test_a_note_is_heard_here_at_once_also_without_a_broker() -> None:
    bus, heard = bus_over(None), []
    bus.listen("mail", heard.append)

    await bus.broadcast("mail", {"user_id": "x"})

    assert heard == [{"user_id": "x"}]


@pytest.mark.parametrize(
    "url",
    ["amqp://a:b@mq/", "amqp://a:b@mq/vhost", "amqps://a:b@mq/?cafile=/etc/ca.pem"],
    ids=["plain", "vhost", "tls"],
)
def test_a_heartbeat_is_asked_for_beside_what_the_address_asks_for(url: str) -> None:
    address = RabbitBus("orders", settings(rabbitmq_url=url))._url

    assert address.count("?") == 1
    assert "heartbeat=10" in address.split("?")[1].split("&")


async def test_a_message_that_is_no_envelope_is_rejected_and_reaches_no_handler() -> None:
    ended: list[str] = []

    async def reject() -> None:
        ended.append("rejected")

    message = delivered(Channel(), 1)
    message.body, message.message_id, message.reject = b'{"name": "order.created"}', "id-0", reject
    nobody: Any = None
    await bus_over(None)._take(nobody, message)

    assert ended == ["rejected"]


class Channel:
    """Notes what is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, bool]] = []

    async def basic_ack(self, tag: int, *, multiple: bool) -> None:
        self.acknowledged.append((tag, multiple))


def delivered(channel: Channel, tag: int) -> Any:
    return SimpleNamespace(channel=channel, delivery_tag=tag)


async def test_each_channel_counts_for_itself_and_is_forgotten_when_it_is_gone() -> None:
    bus, first, second = bus_over(None), Channel(), Channel()
    for channel in (first, second):
        for tag in (1, 2):
            await bus._acknowledgements(delivered(channel, tag)).acknowledge(tag)
    assert first.acknowledged == second.acknowledged == [(1, True), (2, True)]

    del first, channel
    gc.collect()

    assert len(bus._channels) == 1
