"""The envelope that every event travels in, and the base of the events themselves."""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer


class Event(BaseModel):
    """Base of the `data` of all events: the public state of a thing after a change, with the thing's own version.

    Consumers ignore fields they don't know. A new optional field keeps `event_version`; anything else is a new class.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True
    )

    event_name: ClassVar[str]
    event_version: ClassVar[int] = 1


class State(BaseModel):
    """Base of the things that events carry."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True, hide_input_in_errors=True)


def _utc(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


class Envelope(BaseModel):
    """Frozen: a producer and a consumer of any age agree on these fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    name: str
    version: int
    occurred_at: Annotated[AwareDatetime, PlainSerializer(_utc, when_used="json")]
    producer: str
    correlation_id: str
    traceparent: str | None = None
    data: dict[str, Any]
