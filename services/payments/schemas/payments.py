"""Payments, as they are asked for and shown."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.payments.domain import Method, Status
from services.payments.providers import Card, CardToken
from services.payments.schemas.refunds import RefundOut
from shared.http.cards import passes_luhn
from shared.http.types import Input, Money

_NUMBERED = ("number", "exp_month", "exp_year", "cvc")


class CardIn(BaseModel):  # no `Input`: that refuses cards
    """A card of the fake gateway, or with `PAYMENT_GATEWAY=live` the token that a provider gave the payer's browser for
    one. Neither number, code nor token is ever stored, logged, or repeated in an error."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "if": {"required": ["token"]},
            "then": {"maxProperties": 1},
            "else": {"required": [*_NUMBERED]},
        },
    )

    number: Annotated[str, StringConstraints(pattern=r"^[0-9]{13,19}$")] | None = Field(
        default=None, repr=False, examples=["4242424242424242"]
    )
    exp_month: Annotated[int, Field(ge=1, le=12)] | None = None
    exp_year: Annotated[int, Field(ge=2000, le=2100)] | None = None
    cvc: Annotated[str, StringConstraints(pattern=r"^[0-9]{3,4}$")] | None = Field(default=None, repr=False)
    token: Annotated[str, StringConstraints(pattern=r"^[!-~]{8,500}$")] | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _can_be_charged(self) -> Self:
        given = [name for name in _NUMBERED if getattr(self, name) is not None]
        if given if self.token is not None else len(given) < len(_NUMBERED):
            raise ValueError("a card is a token, or number, exp_month, exp_year and cvc")
        if self.token is not None and self.token.isdigit() and passes_luhn(self.token):
            raise ValueError("this is a card's number, and no token")
        if self.number is not None:
            self._check_number(self.number)
        return self

    def _check_number(self, number: str) -> None:
        if not passes_luhn(number):
            raise ValueError("this is no card number: its check digit is wrong")
        now = datetime.now(UTC)
        if (self.exp_year or 0, self.exp_month or 0) < (now.year, now.month):
            raise ValueError("this card has expired")

    def source(self) -> Card | CardToken:
        if self.token is not None:
            return CardToken(self.token)
        return Card(self.number or "", self.exp_month or 0, self.exp_year or 0, self.cvc or "")


class PayIn(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "method": "card",
                    "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2099, "cvc": "123"},
                }
            ]
        }
    )

    method: Method
    card: CardIn | None = None
    return_url: Annotated[str, StringConstraints(max_length=2000)] | None = Field(
        default=None, description="Where the provider's page sends the payer back to: an origin that is allowed"
    )

    @model_validator(mode="after")
    def _card_where_it_belongs(self) -> Self:
        if (self.card is not None) != (self.method == Method.CARD):
            raise ValueError("method card needs a card, and no other method takes one")
        return self


class PaymentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    order_id: UUID
    order_number: str = Field(examples=["2026-000003"])
    amount: Money
    refunded: Money
    currency: str = Field(examples=["UZS"])
    method: Method
    status: Status
    transaction_id: str | None
    checkout_url: str | None = Field(description="The provider's page on which a pending attempt is paid")
    failure_code: str | None
    card_brand: str | None = Field(examples=["visa"])
    card_last4: str | None = Field(examples=["4242"])
    duplicate: bool = Field(description="A second capture of an order that was paid: it goes back")
    version: int
    created_at: datetime
    updated_at: datetime


class WholePaymentOut(PaymentOut):
    refunds: list[RefundOut]
