"""A message is today what it was when its sample was written, to its producer and to all who listen."""

import json
from contextvars import copy_context
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest

from shared.contracts import LISTENERS, Envelope, Event
from shared.contracts.accounts import UserRegistered
from shared.db import Session
from shared.messaging import outbox
from shared.messaging.bus import Handler, Subscriptions, Undeliverable
from shared.messaging.tables import OutboxRow
from shared.observability.context import set_request_id
from tests.contract.golden import EVENTS, FOLDER, file_name, golden
from tests.contract.samples import SAMPLES, some_id
from tests.support.sessions import unbound_session

NO_SESSION: Any = None


class Recorder(Subscriptions):
    """Takes a service's subscriptions, and records instead of handling."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.heard: list[Event] = []
        import_module(f"services.{service}.events").register(self)

    def subscribe(self, event: type[Event], handler: Handler) -> None:
        async def record(_: Session, event: Event) -> None:
            self.heard.append(event)

        super().subscribe(event, record)


def emitted(producer: str, event: Event, monkeypatch: pytest.MonkeyPatch) -> str:
    """The envelope as it would lie in the outbox and go over the wire."""
    monkeypatch.setattr(outbox, "new_id", lambda: some_id(255))
    monkeypatch.setattr(outbox, "utcnow", lambda: datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))
    session = unbound_session(service=producer, hand_over=lambda message: None)

    def work() -> None:
        set_request_id("01890a5d-ac96-774b-bcce-b302099a80fe")
        outbox.add(session, event)

    copy_context().run(work)
    (row,) = session.new
    assert isinstance(row, OutboxRow)
    return row.envelope


def each_listener() -> list[Any]:
    return [
        pytest.param(event, service, id=f"{event.event_name}-{service}")
        for event, services in LISTENERS.items()
        for service in services
    ]


def deepened(data: Any) -> Any:
    """The same with a field that nobody knows in every object."""
    if isinstance(data, dict):
        return {name: deepened(value) for name, value in data.items()} | {"field_of_the_future": {"x": [1]}}
    return data


def test_every_event_has_a_sample_and_every_sample_an_event() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {file_name(event) for event in EVENTS}


def test_every_event_is_made_here_by_its_producer_and_none_is_forgotten_in_the_table() -> None:
    ours = {event for event in Event.__subclasses__() if event.__module__.startswith("shared.contracts.")}
    assert {type(event) for _, event in SAMPLES} == {*EVENTS} == ours


@pytest.mark.parametrize(("producer", "event"), SAMPLES, ids=[event.event_name for _, event in SAMPLES])
def test_the_producer_emits_the_sample(producer: str, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(emitted(producer, event, monkeypatch)) == golden(type(event))


@pytest.mark.parametrize("event", EVENTS, ids=file_name)
def test_a_sample_says_its_name_version_and_producer(event: type[Event]) -> None:
    envelope = Envelope.model_validate(golden(event))
    producer = event.__module__.rsplit(".", 1)[1]

    assert (envelope.name, envelope.version, envelope.producer) == (event.event_name, event.event_version, producer)
    assert golden(event).keys() == {
        "id",
        "name",
        "version",
        "occurred_at",
        "producer",
        "correlation_id",
        "traceparent",
        "data",
    }


@pytest.mark.parametrize("event", EVENTS, ids=file_name)
def test_no_field_of_a_sample_is_lost_between_reading_and_writing(event: type[Event]) -> None:
    data = golden(event)["data"]
    assert event.model_validate(data).model_dump(mode="json", by_alias=True) == data


@pytest.mark.parametrize(("event", "service"), each_listener())
async def test_a_listener_accepts_the_sample(event: type[Event], service: str) -> None:
    listener = Recorder(service)
    envelope = Envelope.model_validate_json(json.dumps(golden(event)))

    await listener.handle(NO_SESSION, envelope)

    assert listener.heard == [event.model_validate(golden(event)["data"])]


@pytest.mark.parametrize(("event", "service"), each_listener())
async def test_a_listener_accepts_the_sample_with_fields_that_nobody_knows_yet(
    event: type[Event], service: str
) -> None:
    listener = Recorder(service)
    later = golden(event) | {"data": deepened(golden(event)["data"]), "field_of_the_future": 1}

    await listener.handle(NO_SESSION, Envelope.model_validate(later))

    assert listener.heard == [event.model_validate(golden(event)["data"])]


@pytest.mark.parametrize(("event", "service"), each_listener())
async def test_a_listener_refuses_a_version_that_it_does_not_know(event: type[Event], service: str) -> None:
    later = golden(event) | {"version": 99}
    with pytest.raises(Undeliverable):
        await Recorder(service).handle(NO_SESSION, Envelope.model_validate(later))


def test_a_field_that_came_later_may_be_missing() -> None:
    """What an older producer still says of a user."""
    envelope = golden(UserRegistered)
    del envelope["data"]["user"]["is_confirmed"]

    assert UserRegistered.model_validate(envelope["data"]).user.is_confirmed is False
