"""What is kept of providers: the fake gateway's own books, and the transactions of Payme and Click."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.payments.models.money import Base
from shared.db.base import MoneyField, TimeField


class FakeCharge(Base, table=True):
    """The books of the fake gateway, which belong to no transaction of ours: one row a reference, never two charges."""

    __tablename__ = "fake_charges"

    reference: UUID = Field(primary_key=True)
    transaction_id: str
    amount: Decimal = MoneyField()
    declined_as: str | None = None
    """Null where the money was taken."""
    created_at: datetime = TimeField()


class FakeRefund(Base, table=True):
    """What the fake gateway sent back: one row a reference, and never more than it took."""

    __tablename__ = "fake_refunds"
    __table_args__ = (Index("ix_fake_refunds_charge", "charge"),)

    reference: UUID = Field(primary_key=True)
    charge: UUID
    amount: Decimal = MoneyField()
    created_at: datetime = TimeField()


class PaymeTransactionRow(Base, table=True):
    """A transaction of Payme's Merchant API, which hangs on one attempt. Times are milliseconds, 0 where not yet."""

    __tablename__ = "payme_transactions"
    __table_args__ = (
        CheckConstraint("state IN (1, 2, -1, -2)", name="state"),
        CheckConstraint("amount > 0", name="amount"),
        # One at a time holds an order.
        Index("uq_payme_transactions_created", "order_number", unique=True, postgresql_where=text("state = 1")),
        Index("ix_payme_transactions_time", "time", "id"),
        Index("ix_payme_transactions_overdue", "time", postgresql_where=text("state = 1")),
    )

    id: str = Field(primary_key=True)
    """Payme's."""
    payment_id: UUID = Field(foreign_key="payments.id", unique=True)
    """Also what Payme knows the transaction by on our side."""
    order_number: str
    amount: int = Field(sa_type=BigInteger)
    """Tiyin."""
    time: int = Field(sa_type=BigInteger)
    """Payme's clock at the creation."""
    create_time: int = Field(sa_type=BigInteger)
    perform_time: int = Field(default=0, sa_type=BigInteger)
    cancel_time: int = Field(default=0, sa_type=BigInteger)
    state: int
    reason: int | None = None
    perform_fiscal_data: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    cancel_fiscal_data: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


class ClickTransactionRow(Base, table=True):
    """A transaction of Click's, from its Prepare on. Its number is Click's `merchant_prepare_id`, and the
    `merchant_confirm_id` too."""

    __tablename__ = "click_transactions"
    __table_args__ = (CheckConstraint("state IN ('waiting', 'confirmed', 'cancelled')", name="state"),)

    prepare_id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    click_trans_id: int = Field(sa_type=BigInteger, unique=True)
    paydoc_id: int = Field(sa_type=BigInteger)
    payment_id: UUID = Field(foreign_key="payments.id", unique=True)
    order_number: str
    amount: Decimal = MoneyField()
    state: str
    error: int | None = Field(default=None, sa_type=BigInteger)
    """With which Click called it failed, if it ever did."""
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()


class PaymeReceipt(Base, table=True):
    """The receipt by which a card is charged, kept before it is paid. Null: the charge is voided, and has none."""

    __tablename__ = "payme_receipts"

    payment_id: UUID = Field(primary_key=True, foreign_key="payments.id")
    receipt_id: str | None = Field(default=None, unique=True)
