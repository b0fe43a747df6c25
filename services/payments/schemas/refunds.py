"""Refunds, balances and payouts, as they are asked for and shown."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.payments.domain import RefundStatus
from services.payments.ledger import Kind
from shared.http.pagination import Page
from shared.http.types import Input, Line, Money, Price


class RefundIn(Input):
    amount: Price | None = Field(default=None, description="Without it, all that is left")
    reason: Line | None = None


class RefundOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    payment_id: UUID
    amount: Money
    currency: str
    reason: str | None
    status: RefundStatus
    manual_reason: str | None = Field(description="Why a person has to make it at the provider")
    created_at: datetime
    completed_at: datetime | None


class BalanceEntryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    seq: int
    kind: Kind
    order_id: UUID | None
    refund_id: UUID | None
    payout_id: UUID | None
    amount: Money
    currency: str
    at: datetime


class BalanceOut(Page[BalanceEntryOut]):
    """What is owed to a worker, and page by page what it came from."""

    balance: Annotated[Money, Field(description="Below zero where refunds took more than was left")]
    currency: str


class PayoutIn(Input):
    worker_id: UUID
    amount: Price
    reference: Line = Field(description="Of the transfer at the bank: one payout each")


class PayoutOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    worker_id: UUID
    amount: Money
    currency: str
    reference: str
    created_at: datetime
