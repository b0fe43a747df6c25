"""Tables of orders."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Sequence, text
from sqlmodel import Field, SQLModel

from shared.db.base import MoneyField, TimeField, new_registry


class Base(SQLModel, registry=new_registry()):
    pass


order_numbers = Sequence("order_numbers", metadata=Base.metadata)
"""Never waited for: two orders at once take two numbers, and a rollback leaves a gap."""
STATUSES = ("status", "payment_status")


class Order(Base, table=True):
    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'assigned', 'in_progress', 'completed', 'cancelled')", name="status"),
        CheckConstraint(
            "payment_status IN ('unpaid', 'paid', 'partially_refunded', 'refunded')", name="payment_status"
        ),
        CheckConstraint(
            "status NOT IN ('assigned', 'in_progress', 'completed') OR worker_id IS NOT NULL", name="worker"
        ),
        CheckConstraint("quantity BETWEEN 1 AND 100", name="quantity"),
        CheckConstraint("total = price * quantity", name="total"),
        CheckConstraint("(status = 'pending') = (accept_by IS NOT NULL)", name="accept_by"),
        # The statuses behind the ordering are for filters: of many orders none is fetched that a filter leaves out.
        Index("ix_orders_client", "client_id", "created_at", "id", *STATUSES),
        Index("ix_orders_owner", "owner_id", "created_at", "id"),
        Index("ix_orders_worker", "worker_id", "created_at", "id"),
        Index("ix_orders_hands", text("coalesce(worker_id, owner_id)"), "created_at", "id", *STATUSES),
        Index("ix_orders_created", "created_at", "id"),
        Index("ix_orders_status", "status", "created_at", "id"),
        Index("ix_orders_statuses", *STATUSES, "created_at", "id"),
        Index("ix_orders_payment_status", "payment_status", "created_at", "id"),
        Index(
            "ix_orders_under_way",
            "created_at",
            "id",
            postgresql_where=text("status IN ('assigned', 'in_progress')"),
        ),
        Index("ix_orders_to_accept", "accept_by", postgresql_where=text("status = 'pending'")),
    )

    id: UUID = Field(primary_key=True)
    number: str = Field(unique=True)
    service_id: UUID
    service_title: str
    client_id: UUID
    owner_id: UUID
    """The worker whose service was ordered."""
    worker_id: UUID | None = None
    """The worker who was assigned."""
    status: str
    payment_status: str
    price: Decimal = MoneyField()
    quantity: int
    total: Decimal = MoneyField()
    currency: str
    description: str
    address: str
    scheduled_at: datetime | None = TimeField(default=None)
    contact_phone: str | None = None
    accept_by: datetime | None = TimeField(default=None)
    """When a pending order is cancelled; null for all others."""
    version: int = 1
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()


class HistoryEntry(Base, table=True):
    """One move of an order; written with it, never changed but for the note of one who was erased."""

    __tablename__ = "order_history"
    __table_args__ = (
        Index("ix_order_history_order", "order_id", "seq"),
        Index("ix_order_history_noted_by", "actor_id", postgresql_where=text("note IS NOT NULL")),
    )

    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    order_id: UUID = Field(foreign_key="orders.id")
    from_status: str | None = None
    to_status: str
    actor_id: UUID | None = None
    actor_role: str
    note: str | None = None
    at: datetime = TimeField()


class PaymentCopy(Base, table=True):
    """Money that was taken for an order: a copy of payments' completed ones, kept by its events."""

    __tablename__ = "payments"
    __table_args__ = (Index("ix_payments_order", "order_id"),)

    id: UUID = Field(primary_key=True)
    order_id: UUID = Field(foreign_key="orders.id")
    amount: Decimal = MoneyField()
    refunded: Decimal = MoneyField()
    version: int
    refund_requested_at: datetime | None = TimeField(default=None)
    """Our own: that payments was asked for the remainder, which it is once."""


class Dispute(Base, table=True):
    """A client's complaint, which holds the worker's money until an admin has decided."""

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'resolved')", name="status"),
        CheckConstraint("(status = 'resolved') = (resolved_at IS NOT NULL)", name="resolved"),
        CheckConstraint("(status = 'resolved') = (refund_amount IS NOT NULL)", name="decided"),
        CheckConstraint("refund_amount >= 0", name="refund_amount"),
        Index("ix_disputes_order", "order_id", "opened_at"),
        Index("uq_disputes_open", "order_id", unique=True, postgresql_where=text("status = 'open'")),
        Index("ix_disputes_opened_by", "opened_by"),
        Index("ix_disputes_resolved_by", "resolved_by", postgresql_where=text("resolved_by IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    order_id: UUID = Field(foreign_key="orders.id")
    status: str
    reason: str
    opened_by: UUID
    opened_at: datetime = TimeField()
    refund_amount: Decimal | None = MoneyField(default=None)
    note: str | None = None
    resolved_by: UUID | None = None
    resolved_at: datetime | None = TimeField(default=None)


class Offer(Base, table=True):
    """What can be ordered: a copy of catalog's services, kept by its events."""

    __tablename__ = "offers"

    id: UUID = Field(primary_key=True)
    worker_id: UUID
    title: str
    price: Decimal = MoneyField()
    currency: str
    status: str
    version: int


class Person(Base, table=True):
    """Who can order and be assigned: a copy of accounts' users, kept by its events."""

    __tablename__ = "people"
    __table_args__ = (Index("ix_people_inactive", "id", postgresql_where=text("is_active IS false")),)

    id: UUID = Field(primary_key=True)
    role: str | None
    """None once the account is erased."""
    is_active: bool
    is_confirmed: bool = False
    version: int
