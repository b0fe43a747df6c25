"""What goes in and out of notifications over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.notifications.domain import MailKind, Type
from shared.contracts.accounts import Language


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


class OneTimeLink(BaseModel):
    """What accounts says of a mail at the moment of sending it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    purpose: MailKind
    email: str = Field(repr=False)
    full_name: str = Field(repr=False)
    language: Language
    url: str = Field(repr=False)
    ends_at: AwareDatetime
