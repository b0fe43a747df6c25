"""Tables of accounts."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, Computed, Float, Index, Numeric, String, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel

from shared.db.base import MoneyField, TimeField, new_registry


class Base(SQLModel, registry=new_registry()):
    pass


_SEARCHED = (
    "to_tsvector('simple', full_name || ' ' || translate(email, '@.+-_', '     ')"
    " || ' ' || coalesce(translate(phone, '+', ''), ''))"
)


class User(Base, table=True):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('client', 'worker', 'admin')", name="role"),
        CheckConstraint("language IN ('uz', 'ru', 'en')", name="language"),
        CheckConstraint("erased_at IS NULL OR NOT is_active", name="erased"),
        Index("ix_users_newest", "created_at", "id"),
        Index("ix_users_search", "search", postgresql_using="gin"),
    )

    id: UUID = Field(primary_key=True)
    email: str
    """As its owner wrote it; empty once the account is erased."""
    email_key: str = Field(unique=True)
    """Normalised: what logins and uniqueness go by."""
    email_confirmed_at: datetime | None = TimeField(default=None)
    password_hash: str
    full_name: str
    role: str
    phone: str | None = None
    language: str
    is_active: bool = True
    version: int = 1
    """Also the `ver` of access tokens: a ban raises it, and refuses those that are below."""
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()
    erased_at: datetime | None = TimeField(default=None)
    search: str | None = Field(
        default=None, sa_column=Column(TSVECTOR, Computed(_SEARCHED, persisted=True), nullable=True)
    )
    """Name, address and phone, for an admin who looks someone up."""

    @property
    def email_confirmed(self) -> bool:
        return self.email_confirmed_at is not None

    @property
    def is_confirmed(self) -> bool:
        """The same, by the name that events have for it."""
        return self.email_confirmed


class WorkerProfile(Base, table=True):
    """What a worker tells everyone. Name and standing are the user's, repeated so that a list reads one table."""

    __tablename__ = "worker_profiles"
    __table_args__ = (
        CheckConstraint("hourly_rate > 0", name="hourly_rate"),
        CheckConstraint("service_radius_km BETWEEN 1 AND 500", name="service_radius_km"),
        CheckConstraint("lat BETWEEN -90 AND 90 AND lng BETWEEN -180 AND 180", name="location"),
        CheckConstraint("(lat IS NULL) = (lng IS NULL)", name="location_whole"),
        Index("ix_worker_profiles_newest", "created_at", "id", postgresql_where=text("is_listed")),
        Index("ix_worker_profiles_rating", "rating", "id", postgresql_where=text("is_listed")),
        Index("ix_worker_profiles_search", "search", postgresql_using="gin"),
        Index("ix_worker_profiles_place", text("point(lng, lat)"), postgresql_using="gist"),
    )

    id: UUID = Field(primary_key=True, foreign_key="users.id")
    full_name: str
    is_listed: bool = True
    """False for a banned user: their profile is nobody's to see."""
    bio: str = ""
    skills: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    languages: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    hourly_rate: Decimal | None = MoneyField(default=None)
    currency: str = "UZS"
    city: str | None = None
    lat: float | None = Field(default=None, sa_type=Float)
    lng: float | None = Field(default=None, sa_type=Float)
    service_radius_km: int | None = None
    is_available: bool = True
    rating: Decimal = Field(default=Decimal("0.00"), sa_type=Numeric(3, 2))
    review_count: int = 0
    version: int = 1
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()
    search: Any = Field(default=None, sa_column=Column(TSVECTOR, nullable=True))
    """Of name, bio and skills; written with them."""


class WorkerService(Base, table=True):
    """A service that a worker offers: a copy of catalog's, to find workers by category."""

    __tablename__ = "worker_services"
    __table_args__ = (Index("ix_worker_services_category", "category_id", "worker_id"),)

    id: UUID = Field(primary_key=True)
    worker_id: UUID
    category_id: UUID
    is_active: bool
    version: int


class RefreshFamily(Base, table=True):
    """One login on one device: the chain of refresh tokens that came of it. Its id is the `sid` of access tokens."""

    __tablename__ = "refresh_families"

    id: UUID = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", index=True)
    address: str | None = None
    agent: str | None = None
    created_at: datetime = TimeField()
    last_used_at: datetime = TimeField()
    ended_at: datetime | None = TimeField(default=None)


class RefreshToken(Base, table=True):
    """A refresh token, by its SHA-256: who reads this table can't use it."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_family_id", "family_id"), Index("ix_refresh_tokens_end", "ends_at"))

    hash: bytes = Field(primary_key=True)
    family_id: UUID = Field(foreign_key="refresh_families.id", ondelete="CASCADE")
    ends_at: datetime = TimeField()
    spent_at: datetime | None = TimeField(default=None)
    spent_by: str | None = None
    """Address and agent of the request that spent it, for the grace of a request sent twice."""


class OneTimeLink(Base, table=True):
    """A link that goes out by mail. Its token is made of the id and `REFRESH_SECRET`: who reads this table has none.

    Without a user it is a decoy: a request for an unknown address does the same work as one for a known one.
    """

    __tablename__ = "one_time_links"
    __table_args__ = (
        CheckConstraint("purpose IN ('reset_password', 'confirm_email')", name="purpose"),
        Index("ix_one_time_links_user", "user_id"),
        Index("ix_one_time_links_end", "ends_at"),
    )

    id: UUID = Field(primary_key=True)
    user_id: UUID | None = Field(default=None, foreign_key="users.id")
    purpose: str
    ends_at: datetime = TimeField()
    used_at: datetime | None = TimeField(default=None)


class Throttle(Base, table=True):
    """When the next call under `key` would be due if all came evenly: the state of a leaky bucket."""

    __tablename__ = "throttles"

    key: str = Field(primary_key=True)
    due_at: datetime = TimeField(index=True)


class LoginFailures(Base, table=True):
    """Failed logins in a row for one address, known here or not, by its hash."""

    __tablename__ = "login_failures"

    email_hash: bytes = Field(primary_key=True)
    count: int
    last_at: datetime = TimeField(index=True)


class SigningKey(Base, table=True):
    """An Ed25519 key pair; the private half is encrypted under `KEYS_SECRET`."""

    __tablename__ = "signing_keys"

    kid: str = Field(primary_key=True)
    public_jwk: str
    private_encrypted: bytes
    created_at: datetime = TimeField()
    signs_from: datetime = TimeField()
    """Published before it signs, so that every service knows it by then."""
    ends_at: datetime | None = TimeField(default=None)
    """When its last token has ended; null while no later key follows."""
