"""Tables of payments."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from shared.db.base import MoneyField, TimeField, new_registry


class Base(SQLModel, registry=new_registry()):
    pass


class Payment(Base, table=True):
    """One attempt to pay one order. Its id is the reference under which a provider knows it."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("method IN ('payme', 'click', 'card')", name="method"),
        CheckConstraint("status IN ('pending', 'completed', 'failed')", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        Index(
            "uq_payments_active",
            "order_id",
            unique=True,
            postgresql_where=text("status IN ('pending', 'completed')"),
        ),
        Index("ix_payments_client", "client_id", "created_at", "id"),
        Index("ix_payments_owner", "owner_id"),
        Index("ix_payments_worker", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
        Index("ix_payments_pending", "updated_at", postgresql_where=text("status = 'pending'")),
    )

    id: UUID = Field(primary_key=True)
    order_id: UUID
    order_number: str
    client_id: UUID
    owner_id: UUID
    worker_id: UUID | None = None
    amount: Decimal = MoneyField()
    refunded: Decimal = MoneyField(default=Decimal("0.00"))
    currency: str
    method: str
    status: str
    transaction_id: str | None = None
    """The provider's own id of the charge."""
    failure_code: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    version: int = 1
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()


class OrderCopy(Base, table=True):
    """What can be paid: a copy of orders, kept by their events."""

    __tablename__ = "orders"

    id: UUID = Field(primary_key=True)
    number: str
    client_id: UUID
    owner_id: UUID
    worker_id: UUID | None = None
    status: str
    total: Decimal = MoneyField()
    currency: str
    version: int


class RefundRequest(Base, table=True):
    """That the whole remainder of a payment has to go back, as orders asked."""

    __tablename__ = "refund_requests"

    payment_id: UUID = Field(primary_key=True)
    order_id: UUID
    reason: str
    requested_at: datetime = TimeField()


class FakeCharge(Base, table=True):
    """The books of the fake gateway, which belong to no transaction of ours: one row a reference, never two charges."""

    __tablename__ = "fake_charges"

    reference: UUID = Field(primary_key=True)
    transaction_id: str
    amount: Decimal = MoneyField()
    declined_as: str | None = None
    """Null where the money was taken."""
    created_at: datetime = TimeField()
