"""Outbox and inbox: the two tables that make events survive any crash, in every service's database."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, func, text
from sqlmodel import Field

from shared.db.base import PlatformBase, TimeField


class OutboxRow(PlatformBase, table=True):
    """An event that a transaction of this service wrote. The relay publishes those without `published_at`."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_unpublished", "seq", postgresql_where=text("published_at IS NULL")),
        Index("ix_outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
    )

    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    event_id: UUID = Field(unique=True)
    name: str
    envelope: str
    created_at: datetime = TimeField()
    published_at: datetime | None = TimeField(default=None)


class InboxRow(PlatformBase, table=True):
    """An event that reached this service: done, to retry at `next_at`, or dead, with its envelope and error kept."""

    __tablename__ = "inbox"
    __table_args__ = (
        CheckConstraint("state IN ('done', 'retry', 'dead')", name="state"),
        Index("ix_inbox_due", "next_at", postgresql_where=text("state = 'retry'")),
        Index("ix_inbox_dead", "received_at", postgresql_where=text("state = 'dead'")),
        Index("ix_inbox_done", "received_at", postgresql_where=text("state = 'done'")),
    )

    event_id: UUID = Field(primary_key=True)
    subscription: str = Field(primary_key=True)
    state: str
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_at: datetime | None = TimeField(default=None)
    envelope: str | None = None
    error: str | None = None
    received_at: datetime = TimeField(sa_column_kwargs={"server_default": func.now()})
