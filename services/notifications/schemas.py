"""What goes in and out of notifications over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.notifications.domain import Type


class NotificationOut(BaseModel):
    id: UUID
    seq: int = Field(description="Rises by one per user, without gaps")
    type: Type
    title: str
    data: dict[str, Any]
    created_at: datetime
    read_at: datetime | None


class NotificationFilters(BaseModel):
    """The query of a list of notifications."""

    unread: bool | None = None
    type: Type | None = None
