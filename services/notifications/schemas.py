"""What goes in and out of notifications over HTTP."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.notifications.domain import Channel, MailKind, SwitchedOff, Type, is_on
from shared.contracts.accounts import Language
from shared.http.types import Input


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


class UnreadCount(BaseModel):
    count: int


class Ticket(BaseModel):
    ticket: str = Field(repr=False, description="For `?ticket=` of one WebSocket")
    expires_in: int = Field(description="Seconds")


class Channels(Input):
    """By which channels a type of notification is wanted."""

    live: bool = Field(True, description="In the inbox and on WebSockets", strict=True)
    email: bool = Field(
        True,
        description="In mails that tell what is new and unread in the inbox: nothing of a type whose `live` is off",
        strict=True,
    )


class Preferences(Input):
    preferences: dict[Type, Channels] = Field(description="What is not named is on")

    @classmethod
    def of(cls, off: SwitchedOff) -> Self:
        """All types and channels, switched on but for `off`."""
        return cls(
            preferences={kind: Channels(**{channel: is_on(off, kind, channel) for channel in Channel}) for kind in Type}
        )

    @property
    def off(self) -> dict[str, list[str]]:
        chosen = {kind: [name for name, on in channels if not on] for kind, channels in self.preferences.items()}
        return {kind: names for kind, names in chosen.items() if names}


class OneTimeLink(BaseModel):
    """What accounts says of a mail at the moment of sending it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    purpose: MailKind
    email: str = Field(repr=False)
    full_name: str = Field(repr=False)
    language: Language
    url: str = Field(repr=False)
    ends_at: AwareDatetime


class MailAddress(BaseModel):
    """What accounts says of a user at the moment of writing to them."""

    model_config = ConfigDict(hide_input_in_errors=True)

    email: str = Field(repr=False)
    full_name: str = Field(repr=False)
    language: Language
