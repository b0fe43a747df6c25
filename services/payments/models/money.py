"""Tables of orders that can be paid, attempts, refunds, and the books."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Numeric, text
from sqlmodel import Field, SQLModel

from shared.db.base import MoneyField, TimeField, new_registry


class Base(SQLModel, registry=new_registry()):
    pass


HOLDS_MONEY = "status IN ('completed', 'partially_refunded') AND NOT duplicate"


class Payment(Base, table=True):
    """One attempt to pay one order. Its id is the reference under which a provider knows it."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("method IN ('payme', 'click', 'card')", name="method"),
        CheckConstraint("gateway IN ('fake', 'live')", name="gateway"),
        CheckConstraint(
            "status IN ('pending', 'completed', 'failed', 'cancelled', 'partially_refunded', 'refunded')", name="status"
        ),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("refunded BETWEEN 0 AND amount", name="refunded"),
        CheckConstraint(
            "(captured_at IS NOT NULL) = (status IN ('completed', 'partially_refunded', 'refunded'))", name="captured"
        ),
        CheckConstraint("commission_rate BETWEEN 0 AND 1", name="commission_rate"),
        CheckConstraint("captured_at IS NOT NULL OR NOT duplicate", name="duplicate"),
        Index(
            "uq_payments_active",
            "order_id",
            unique=True,
            postgresql_where=text("status IN ('pending', 'completed', 'partially_refunded') AND NOT duplicate"),
        ),
        Index("ix_payments_order", "order_id"),
        Index("ix_payments_created", "created_at", "id"),
        Index("ix_payments_client", "client_id", "created_at", "id"),
        Index("ix_payments_owner", "owner_id"),
        Index("ix_payments_worker", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
        Index("ix_payments_pending", "updated_at", postgresql_where=text("status = 'pending'")),
        Index("ix_payments_to_expire", "expires_at", postgresql_where=text("status = 'pending' AND NOT held")),
        Index("ix_payments_to_release", "captured_at", postgresql_where=text(f"released_at IS NULL AND {HOLDS_MONEY}")),
        Index("ix_payments_attention", "updated_at", postgresql_where=text("attention IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    order_id: UUID
    order_number: str
    client_id: UUID
    owner_id: UUID
    worker_id: UUID | None = None
    amount: Decimal = MoneyField()
    refunded: Decimal = MoneyField(default=Decimal("0.00"))
    """What went back: completed refunds alone."""
    currency: str
    method: str
    gateway: str
    status: str
    held: bool = False
    """A provider's transaction hangs on it: neither the client nor time may end it."""
    duplicate: bool = False
    """A second capture of an order that was paid: it goes back."""
    transaction_id: str | None = None
    """The provider's own id of the charge."""
    failure_code: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    return_url: str | None = None
    checkout_url: str | None = None
    attention: str | None = None
    """Why a person should look at it."""
    commission_rate: Decimal = Field(sa_type=Numeric(5, 4))
    """As it was when the attempt was opened."""
    expires_at: datetime = TimeField()
    """When an attempt that nobody touches ends."""
    captured_at: datetime | None = TimeField(default=None)
    released_at: datetime | None = TimeField(default=None)
    """When escrow went to the worker; null again where something came back into it."""
    version: int = 1
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()


class OrderCopy(Base, table=True):
    """What can be paid: a copy of orders, kept by their events. Its row is what all that moves an order's money locks
    first."""

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_number", "number"),)

    id: UUID = Field(primary_key=True)
    number: str
    client_id: UUID
    owner_id: UUID
    worker_id: UUID | None = None
    status: str
    total: Decimal = MoneyField()
    currency: str
    version: int
    completed_at: datetime | None = TimeField(default=None)
    """Our own: when we heard that the work is done."""


class Dispute(Base, table=True):
    """A client's complaint: escrow stays where it is until it is resolved."""

    __tablename__ = "disputes"
    __table_args__ = (Index("ix_disputes_open", "order_id", postgresql_where=text("NOT resolved")),)

    id: UUID = Field(primary_key=True)
    order_id: UUID
    resolved: bool


class RefundRequest(Base, table=True):
    """That the whole remainder of a payment has to go back, as orders asked: once a payment."""

    __tablename__ = "refund_requests"

    payment_id: UUID = Field(primary_key=True)
    order_id: UUID
    reason: str
    requested_at: datetime = TimeField()


class Refund(Base, table=True):
    """Money that goes back. Its id is the reference under which a provider is asked for it, however often."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'manual', 'completed', 'failed')", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name="completed"),
        CheckConstraint("status <> 'manual' OR manual_reason IS NOT NULL", name="manual"),
        Index("ix_refunds_payment", "payment_id", "created_at"),
        Index("ix_refunds_created", "created_at", "id"),
        Index("ix_refunds_status", "status", "created_at", "id"),
        Index("ix_refunds_requested_by", "requested_by", postgresql_where=text("requested_by IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    payment_id: UUID = Field(foreign_key="payments.id")
    amount: Decimal = MoneyField()
    currency: str
    reason: str | None = None
    status: str
    manual_reason: str | None = None
    """Why a person has to make it."""
    requested_by: UUID | None = None
    """The admin; null where it was opened without anyone asking."""
    asked_at: datetime | None = TimeField(default=None)
    """When the provider was last asked: nobody else asks until that has had its time."""
    created_at: datetime = TimeField()
    completed_at: datetime | None = TimeField(default=None)


class Payout(Base, table=True):
    """What a worker was paid out, by a person; `reference` is the bank's or the till's."""

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payouts_worker", "worker_id", "created_at"),
    )

    id: UUID = Field(primary_key=True)
    worker_id: UUID
    amount: Decimal = MoneyField()
    currency: str
    reference: str = Field(unique=True)
    paid_by: UUID
    created_at: datetime = TimeField()


class LedgerTransaction(Base, table=True):
    """One movement of money. Triggers see to it that its entries sum to zero, and that nothing is changed later."""

    __tablename__ = "ledger_transactions"
    __table_args__ = (
        Index("ix_ledger_transactions_order", "order_id"),
        Index("ix_ledger_transactions_refund", "refund_id", postgresql_where=text("refund_id IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    kind: str
    order_id: UUID | None = None
    payment_id: UUID | None = Field(default=None, foreign_key="payments.id")
    refund_id: UUID | None = Field(default=None, foreign_key="refunds.id")
    payout_id: UUID | None = Field(default=None, foreign_key="payouts.id")
    at: datetime = TimeField()


class LedgerEntry(Base, table=True):
    """What a movement took from one account, or gave to it."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_ledger_entries_transaction", "transaction_id"),
        Index("ix_ledger_entries_account", "account", "owner_id", "seq"),
    )

    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    transaction_id: UUID = Field(foreign_key="ledger_transactions.id")
    account: str
    owner_id: UUID | None = None
    amount: Decimal = MoneyField()
    currency: str


class KeyedCall(Base, table=True):
    """What a call with an idempotency key began; its answer follows in a transaction of its own."""

    __tablename__ = "keyed_calls"
    __table_args__ = (Index("ix_keyed_calls_begun", "begun_at"),)

    user_id: UUID = Field(primary_key=True)
    path: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    asked: str
    """Hash of the body that was sent."""
    thing_id: UUID
    """The payment, or the refund."""
    begun_at: datetime = TimeField()
