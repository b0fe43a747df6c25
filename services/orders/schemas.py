"""What goes in and out of orders over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.orders.domain import PaymentStatus, Status
from shared.http.types import Input, Line, Money, Phone, Text


class OrderIn(Input):
    service_id: UUID
    quantity: Annotated[int, Field(ge=1, le=100)] = 1
    description: Text = ""
    address: Line
    scheduled_at: AwareDatetime | None = Field(default=None, description="In the future")
    contact_phone: Phone | None = Field(default=None, description="Of all workers the assigned one alone sees it")


class AssignIn(Input):
    worker_id: UUID | None = Field(default=None, description="For an admin; a worker accepts for themselves")


class StatusIn(Input):
    status: Status
    note: Text | None = None


class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    number: str
    service_id: UUID
    service_title: str
    client_id: UUID
    owner_id: UUID = Field(description="The worker whose service was ordered")
    worker_id: UUID | None = Field(description="The worker who was assigned")
    status: Status
    payment_status: PaymentStatus
    price: Money
    quantity: int
    total: Money
    currency: str
    description: str
    address: str
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


class OrderWithHistoryOut(OrderOut):
    history: list[HistoryOut]


class OrderBy(StrEnum):
    NEWEST = "-created_at"
    OLDEST = "created_at"


class OrderFilters(BaseModel):
    """The query of a list of orders."""

    status: Status | None = None
    payment_status: PaymentStatus | None = None
    begin: AwareDatetime | None = Field(default=None, alias="from", description="Created from then on")
    end: AwareDatetime | None = Field(default=None, alias="to", description="Created before then")
    attention: bool = Field(
        default=False, description="For an admin: under way although its client or its worker is banned or erased"
    )
    ordering: OrderBy = OrderBy.NEWEST
