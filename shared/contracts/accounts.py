"""Events of accounts."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from shared.contracts.envelope import Event, State

Role = Literal["client", "worker", "admin"]
Language = Literal["uz", "ru", "en"]
DEFAULT_LANGUAGE: Language = "uz"
"""Of who has not chosen one."""


class UserState(State):
    id: UUID
    role: Role
    full_name: str
    is_active: bool
    language: Language
    is_confirmed: bool = False
    """Whether the user has shown that the e-mail is theirs."""
    version: int


class UserRegistered(Event):
    """Somebody has opened an account."""

    event_name: ClassVar[str] = "user.registered"

    user: UserState


class UserUpdated(Event):
    """A name, language or confirmation has changed, or an admin has banned or unbanned somebody."""

    event_name: ClassVar[str] = "user.updated"

    user: UserState


class UserErased(Event):
    """Forget the person; the id stays as a pseudonym. No older state of theirs may be written after this `version`."""

    event_name: ClassVar[str] = "user.erased"

    user_id: UUID
    version: int


class Location(State):
    """Degrees, WGS 84."""

    lat: float
    lng: float


class WorkerState(State):
    """A worker's public profile; `version` is the profile's own and counts apart from the user's."""

    id: UUID
    full_name: str
    city: str | None
    location: Location | None
    service_radius_km: int | None
    is_available: bool
    skills: list[str]
    version: int


class WorkerUpdated(Event):
    """A worker has changed their public profile."""

    event_name: ClassVar[str] = "worker.updated"

    worker: WorkerState


class SessionRevoked(Event):
    """Access tokens that must stop working: of the sessions `sids`, or, where that is null, all of the user's whose
    `ver` is below `min_ver`. By `expires_at` the last of them has ended by itself."""

    event_name: ClassVar[str] = "session.revoked"

    user_id: UUID
    sids: list[UUID] | None
    min_ver: int
    expires_at: AwareDatetime


class KeysDropped(Event):
    """Signing keys that must not be believed from now on, whoever still holds a copy."""

    event_name: ClassVar[str] = "keys.dropped"

    kids: list[str]


class PasswordResetRequested(Event):
    """Carries no address and no link: who sends the mail asks accounts for both under `request_id`."""

    event_name: ClassVar[str] = "password.reset_requested"

    user_id: UUID
    request_id: UUID


class EmailConfirmationRequested(Event):
    """As `PasswordResetRequested`, for a link that confirms the address."""

    event_name: ClassVar[str] = "email.confirmation_requested"

    user_id: UUID
    request_id: UUID
