"""Tables of notifications."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from shared.db.base import TimeField, new_registry


class Base(SQLModel, registry=new_registry()):
    pass


class Notification(Base, table=True):
    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("user_id", "seq"),
        Index("ix_notifications_unread", "user_id", "seq", postgresql_where=text("read_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    user_id: UUID
    seq: int = Field(sa_type=BigInteger)
    """Rises by one per user, without gaps."""
    type: str
    title: str
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    traceparent: str | None = None
    """Where what it tells of stands in its trace, so that the sending of it stands there too."""
    created_at: datetime = TimeField()
    read_at: datetime | None = TimeField(default=None)


class Mailbox(Base, table=True):
    """A user's counter: whoever holds its row gives the next `seq`, so numbers neither repeat nor skip. And what a mail
    has told of it: beside the counter, since that is written with every notification anyway."""

    __tablename__ = "mailboxes"
    __table_args__ = (Index("ix_mailboxes_mail_due", "mail_due_at", postgresql_where=text("mail_due_at IS NOT NULL")),)

    user_id: UUID = Field(primary_key=True)
    last_seq: int = Field(default=0, sa_type=BigInteger)
    is_closed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    """Of an erased user: nothing is put in any more, however late it comes."""
    mail_due_at: datetime | None = TimeField(default=None)
    """When a mail has to tell what is new; null while there is nothing to tell."""
    mail_attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Begun so far at the mail that is due."""
    mailed_seq: int | None = Field(default=None, sa_type=BigInteger)
    """Up to which all is told by mail, or needs no telling. Null in a mailbox from before there were mails."""
    mailed_at: datetime | None = TimeField(default=None)


class Preferences(Base, table=True):
    """Of a user who has changed them."""

    __tablename__ = "preferences"

    user_id: UUID = Field(primary_key=True)
    off: dict[str, list[str]] = Field(sa_column=Column(JSONB, nullable=False))
    """Type → channels that are switched off."""


class SocketTicket(Base, table=True):
    """Opens one socket in the name of who asked for it, with the claims of the access token that they asked with."""

    __tablename__ = "socket_tickets"
    __table_args__ = (Index("ix_socket_tickets_expires", "expires_at"),)

    hash: bytes = Field(primary_key=True)
    """SHA-256 of the ticket, which is kept nowhere."""
    user_id: UUID
    role: str
    session_id: UUID
    user_version: int
    token_expires_at: int = Field(sa_type=BigInteger)
    """Seconds since the epoch."""
    expires_at: datetime = TimeField()


class Person(Base, table=True):
    """What is needed of a user to write to them: a copy of accounts' users, kept by its events."""

    __tablename__ = "people"

    id: UUID = Field(primary_key=True)
    language: str | None
    """Null in the tombstone of an erased user, which keeps older copies from being written again."""
    is_active: bool
    version: int


class QueuedMail(Base, table=True):
    """A mail that has to go out; its id is the request's, under which accounts knows address and link."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint("kind IN ('reset_password', 'confirm_email')", name="kind"),
        Index("ix_mails_due", "next_at"),
    )

    id: UUID = Field(primary_key=True)
    user_id: UUID
    kind: str
    attempts: int = 0
    """Begun so far."""
    next_at: datetime = TimeField()
    created_at: datetime = TimeField()
