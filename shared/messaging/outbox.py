"""Write an event in the transaction of the change that it tells of."""

from collections.abc import Callable
from functools import partial

from shared.contracts import Envelope, Event
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging.bus import OutgoingMessage
from shared.messaging.tables import OutboxRow
from shared.observability.context import current_request_id, current_traceparent


def add(session: Session, event: Event) -> None:
    """Add the event to the outbox of the session's service: published if the transaction commits, then certainly."""
    now = utcnow()
    envelope = Envelope(
        id=new_id(),
        name=event.event_name,
        version=event.event_version,
        occurred_at=now,
        producer=session.info["service"],
        correlation_id=current_request_id(),
        traceparent=current_traceparent(),
        data=event.model_dump(mode="json", by_alias=True),
    )
    text = envelope.model_dump_json()
    session.add(OutboxRow(event_id=envelope.id, name=envelope.name, envelope=text, created_at=now))
    hand_over: Callable[[OutgoingMessage], None] = session.info["hand_over"]
    after_commit(session, partial(hand_over, OutgoingMessage(str(envelope.id), envelope.name, text.encode())))
