"""Tables of accounts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from shared.db.base import TimeField, new_registry


class Base(SQLModel, registry=new_registry()):
    pass


class User(Base, table=True):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('client', 'worker', 'admin')", name="role"),
        CheckConstraint("language IN ('uz', 'ru', 'en')", name="language"),
    )

    id: UUID = Field(primary_key=True)
    email: str
    """As its owner wrote it."""
    email_key: str = Field(unique=True)
    """Normalised: what logins and uniqueness go by."""
    password_hash: str
    full_name: str
    role: str
    phone: str | None = None
    language: str
    is_active: bool = True
    version: int = 1
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()


class RefreshFamily(Base, table=True):
    """One login on one device: the chain of refresh tokens that came of it. Its id is the `sid` of access tokens."""

    __tablename__ = "refresh_families"

    id: UUID = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", index=True)
    address: str | None = None
    agent: str | None = None
    created_at: datetime = TimeField()
    ended_at: datetime | None = TimeField(default=None)


class RefreshToken(Base, table=True):
    """A refresh token, by its SHA-256: who reads this table can't use it."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_family_id", "family_id"),)

    hash: bytes = Field(primary_key=True)
    family_id: UUID = Field(foreign_key="refresh_families.id")
    ends_at: datetime = TimeField()
    spent_at: datetime | None = TimeField(default=None)
    spent_by: str | None = None
    """Address and agent of the request that spent it, for the grace of a request sent twice."""


class SigningKey(Base, table=True):
    """An Ed25519 key pair; the private half is encrypted under `KEYS_SECRET`."""

    __tablename__ = "signing_keys"

    kid: str = Field(primary_key=True)
    public_jwk: str
    private_encrypted: bytes
    created_at: datetime = TimeField()
