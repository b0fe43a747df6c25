"""The bus of one process: an event is in every listener's inbox before it counts as published."""

from typing import Any

import pytest

from shared.contracts import Envelope
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.bus import OutgoingMessage
from shared.messaging.local import LocalBus, LocalHub


class Inbox:
    """Notes in which order the inboxes of a hub took which events."""

    def __init__(self, service: str, taken: list[tuple[str, str]], *, away: bool = False) -> None:
        self.service, self.taken, self.away = service, taken, away

    async def receive(self, envelope: Envelope) -> None:
        raise AssertionError("the local bus stores, and the inbox handles")

    async def store(self, envelopes: list[Envelope]) -> None:
        if self.away:
            raise Unavailable("The database did not answer in time.")
        self.taken.extend((self.service, str(envelope.id)) for envelope in envelopes)


@pytest.fixture
def taken() -> list[tuple[str, str]]:
    return []


@pytest.fixture
async def inboxes(taken: list[tuple[str, str]]) -> dict[str, Inbox]:
    return {name: Inbox(name, taken) for name in ("accounts", "catalog", "orders", "payments", "notifications")}


@pytest.fixture
async def hub(inboxes: dict[str, Inbox]) -> LocalHub:
    hub = LocalHub()
    for service, inbox in inboxes.items():
        await LocalBus(hub, service).start(inbox)
    return hub


def message(name: str) -> OutgoingMessage:
    envelope: dict[str, Any] = {
        "id": new_id(),
        "name": name,
        "version": 1,
        "occurred_at": "2026-01-02T03:04:05Z",
        "producer": "orders",
        "correlation_id": "req-1",
        "data": {},
    }
    body = Envelope.model_validate(envelope).model_dump_json()
    return OutgoingMessage(str(envelope["id"]), name, body.encode())


async def test_an_event_is_stored_with_every_listener_and_with_nobody_else(
    hub: LocalHub, taken: list[tuple[str, str]]
) -> None:
    created, offered = message("order.created"), message("service.updated")

    published = await LocalBus(hub, "orders").publish([created, offered])

    assert published == {created.event_id, offered.event_id}
    assert sorted(taken) == [
        ("accounts", offered.event_id),
        ("notifications", created.event_id),
        ("orders", offered.event_id),
        ("payments", created.event_id),
    ]


async def test_events_are_stored_in_the_order_in_which_they_were_published(
    hub: LocalHub, taken: list[tuple[str, str]]
) -> None:
    messages = [message("payment.failed") for _ in range(10)]

    await LocalBus(hub, "payments").publish(messages)

    assert taken == [("notifications", m.event_id) for m in messages]


@pytest.mark.parametrize("away", ["payments", "notifications"])
async def test_while_one_listener_is_away_the_event_is_not_published(
    hub: LocalHub, inboxes: dict[str, Inbox], away: str
) -> None:
    bus, created = LocalBus(hub, "orders"), message("order.created")
    inboxes[away].away = True

    with pytest.raises(Unavailable):
        await bus.publish([created])
    inboxes[away].away = False

    assert await bus.publish([created]) == {created.event_id}


@pytest.mark.parametrize("missing", ["payments", "notifications"])
async def test_before_one_listener_has_started_the_event_is_not_published(hub: LocalHub, missing: str) -> None:
    await LocalBus(hub, missing).stop()

    with pytest.raises(ConnectionError, match=missing):
        await LocalBus(hub, "orders").publish([message("order.created")])


async def test_who_does_not_listen_may_be_away(hub: LocalHub) -> None:
    await LocalBus(hub, "catalog").stop()
    created = message("order.created")

    assert await LocalBus(hub, "orders").publish([created]) == {created.event_id}


async def test_a_bus_is_connected_while_it_is_started(hub: LocalHub) -> None:
    bus = LocalBus(hub, "orders")
    assert bus.connected
    await bus.stop()
    assert not bus.connected


async def test_a_note_is_heard_by_every_listener_of_its_own_service_alone(hub: LocalHub) -> None:
    heard: list[tuple[int, dict[str, Any]]] = []
    bus, other = LocalBus(hub, "notifications"), LocalBus(hub, "orders")
    bus.listen("mail", lambda note: heard.append((1, note)))
    bus.listen("mail", lambda note: heard.append((2, note)))
    bus.listen("another kind", lambda note: heard.append((3, note)))
    other.listen("mail", lambda note: heard.append((4, note)))

    await bus.broadcast("mail", {"user_id": "x"})

    assert heard == [(1, {"user_id": "x"}), (2, {"user_id": "x"})]
