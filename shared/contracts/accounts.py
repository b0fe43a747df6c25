"""Events of accounts."""

from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.envelope import Event, State

Role = Literal["client", "worker", "admin"]
Language = Literal["uz", "ru", "en"]


class UserState(State):
    id: UUID
    role: Role
    full_name: str
    is_active: bool
    language: Language
    version: int


class UserRegistered(Event):
    event_name: ClassVar[str] = "user.registered"

    user: UserState
