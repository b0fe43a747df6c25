"""What goes in and out of payments over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.payments.domain import Method, Status, passes_luhn
from shared.http.types import Input, Money


class CardIn(Input):
    """A card of the fake gateway. Neither number nor code is ever stored, logged, or repeated in an error."""

    model_config = ConfigDict(hide_input_in_errors=True)

    number: Annotated[str, StringConstraints(pattern=r"^[0-9]{13,19}$")] = Field(
        repr=False, examples=["4242424242424242"]
    )
    exp_month: Annotated[int, Field(ge=1, le=12)]
    exp_year: Annotated[int, Field(ge=2000, le=2100)]
    cvc: Annotated[str, StringConstraints(pattern=r"^[0-9]{3,4}$")] = Field(repr=False)

    @model_validator(mode="after")
    def _can_be_charged(self) -> Self:
        if not passes_luhn(self.number):
            raise ValueError("this is no card number: its check digit is wrong")
        now = datetime.now(UTC)
        if (self.exp_year, self.exp_month) < (now.year, now.month):
            raise ValueError("this card has expired")
        return self


class PayIn(Input):
    method: Method
    card: CardIn | None = None

    @model_validator(mode="after")
    def _card_where_it_belongs(self) -> Self:
        if (self.card is not None) != (self.method == Method.CARD):
            raise ValueError("method card needs a card, and no other method takes one")
        return self


class PaymentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    order_id: UUID
    order_number: str
    amount: Money
    refunded: Money
    currency: str
    method: Method
    status: Status
    transaction_id: str | None
    checkout_url: str | None = None
    failure_code: str | None
    card_brand: str | None
    card_last4: str | None
    version: int
    created_at: datetime
    updated_at: datetime
