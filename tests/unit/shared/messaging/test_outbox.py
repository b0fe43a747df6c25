"""An event joins the transaction of its change, and wakes the relay only once that is committed."""

from contextvars import copy_context
from typing import ClassVar
from uuid import UUID

import pytest

from shared.contracts import Envelope, Event
from shared.db import Session
from shared.messaging import outbox
from shared.messaging.bus import OutgoingMessage
from shared.messaging.tables import OutboxRow
from shared.observability.context import set_request_id
from tests.support.sessions import unbound_session


class ThingSold(Event):
    event_name: ClassVar[str] = "thing.sold"
    event_version: ClassVar[int] = 2

    price: int


@pytest.fixture
def handed_over() -> list[OutgoingMessage]:
    return []


@pytest.fixture
def session(handed_over: list[OutgoingMessage]) -> Session:
    return unbound_session(service="catalog", hand_over=handed_over.append)


def add(session: Session) -> OutboxRow:
    def work() -> None:
        set_request_id("req-1")
        outbox.add(session, ThingSold(price=3))

    copy_context().run(work)
    (row,) = session.new
    assert isinstance(row, OutboxRow)
    return row


def test_an_event_waits_in_the_session_with_all_that_its_envelope_says(session: Session) -> None:
    row = add(session)
    envelope = Envelope.model_validate_json(row.envelope)

    assert (row.event_id, row.name, row.published_at) == (envelope.id, "thing.sold", None)
    assert (envelope.name, envelope.version, envelope.producer) == ("thing.sold", 2, "catalog")
    assert (envelope.correlation_id, envelope.data) == ("req-1", {"price": 3})
    assert isinstance(envelope.id, UUID)
    assert envelope.occurred_at == row.created_at


def test_the_relay_is_given_it_by_the_commit_and_not_before(
    session: Session, handed_over: list[OutgoingMessage]
) -> None:
    row = add(session)
    assert handed_over == []

    for callback in session.info["after_commit"]:
        callback()
    assert handed_over == [OutgoingMessage(str(row.event_id), row.name, row.envelope.encode())]
