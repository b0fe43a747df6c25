"""What goes in and out of orders over HTTP."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from services.orders.domain import DisputeStatus, PaymentStatus, Status
from shared.http.types import NOT_BLANK, NUMBER, Input, Line, Money, Phone, Text, Timestamp, storable, two_places

Explanation = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), AfterValidator(storable), NOT_BLANK
]


def _nothing_or_price(amount: Any) -> Decimal:
    if isinstance(amount, str | int | float) and not isinstance(amount, bool) and str(amount) in ("0", "0.0", "0.00"):
        return Decimal("0.00")
    return two_places(amount)


Amount = Annotated[
    Decimal,
    BeforeValidator(_nothing_or_price),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$"},
                {"type": "integer", "minimum": 0, "maximum": 10**10 - 1},
            ],
            "examples": ["50000.00"],
        }
    ),
]


class OrderIn(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service_id": "01a2043c-b506-7602-b6a5-a91114da1536",
                    "description": "The kitchen tap drips.",
                    "address": "1 Navoi St, Tashkent",
                    "contact_phone": "+998901234567",
                }
            ]
        }
    )

    service_id: UUID
    quantity: Annotated[int, Field(ge=1, le=100), NUMBER] = 1
    description: Text = ""
    address: Line
    scheduled_at: Timestamp | None = Field(default=None, description="In the future")
    contact_phone: Phone | None = Field(default=None, description="Of all workers the assigned one alone sees it")


class AssignIn(Input):
    worker_id: UUID | None = Field(default=None, description="For an admin; a worker accepts for themselves")


class StatusIn(Input):
    status: Status
    note: Text | None = None


class DisputeIn(Input):
    reason: Explanation


class DecisionIn(Input):
    refund_amount: Amount = Field(description="Of what is held, to the client; the rest is the worker's")
    note: Explanation


class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    number: str = Field(examples=["2026-000003"])
    service_id: UUID
    service_title: str = Field(examples=["Leaking tap repair"])
    client_id: UUID
    owner_id: UUID = Field(description="The worker whose service was ordered")
    worker_id: UUID | None = Field(description="The worker who was assigned")
    status: Status
    payment_status: PaymentStatus
    price: Money
    quantity: int
    total: Money
    currency: str = Field(examples=["UZS"])
    description: str = Field(examples=["The kitchen tap drips."])
    address: str = Field(examples=["1 Navoi St, Tashkent"])
    scheduled_at: datetime | None
    contact_phone: str | None = Field(description="For the client, an admin, and the assigned worker")
    accept_by: datetime | None = Field(description="When it is cancelled unless a worker accepts; null once one has")
    version: int
    created_at: datetime
    updated_at: datetime


class HistoryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True, serialize_by_alias=True)

    from_status: Status | None = Field(serialization_alias="from")
    to_status: Status = Field(serialization_alias="to")
    actor_id: UUID | None
    actor_role: str
    note: str | None
    at: datetime


class DisputeOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    order_id: UUID
    status: DisputeStatus
    reason: str
    opened_by: UUID
    opened_at: datetime
    refund_amount: Money | None = Field(description="What was decided")
    note: str | None
    resolved_by: UUID | None
    resolved_at: datetime | None


class WholeOrderOut(OrderOut):
    history: list[HistoryOut]
    dispute: DisputeOut | None = Field(description="The last one")
    worker_phone: str | None = Field(
        description="For the client, while it is assigned or in progress; null also while it can't be looked up"
    )


class OrderBy(StrEnum):
    NEWEST = "-created_at"
    OLDEST = "created_at"


class OrderFilters(BaseModel):
    """The query of a list of orders."""

    status: Status | None = None
    payment_status: PaymentStatus | None = None
    begin: Timestamp | None = Field(default=None, alias="from", description="Created from then on")
    end: Timestamp | None = Field(default=None, alias="to", description="Created before then")
    attention: bool = Field(
        default=False, description="For an admin: under way although its client or its worker is banned or erased"
    )
    disputed: bool = Field(default=False, description="A dispute of it is open")
    ordering: OrderBy = OrderBy.NEWEST
