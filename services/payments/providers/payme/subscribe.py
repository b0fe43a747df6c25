"""Payme's Subscribe API: charging a card by the token that the payer's browser got from Payme."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.payments.providers import OutcomeUnknown
from services.payments.providers.http import TOTAL, ProviderHttp, Refused
from services.payments.providers.payme import ACCOUNT_FIELD, PaymeAccount, from_tiyin, to_tiyin

URL = "https://checkout.paycom.uz/api"
SAFE = frozenset({"cards.check", "receipts.check", "receipts.get"})
PAID, CANCELLED = 4, (21, 50)
"""States of a receipt. Others are 0 created, 1 to 3 under way, 5 and 6 held, 20 halted, 30 to be closed; of the
cancelled ones the money of the first is still on its way."""
UNSURE = frozenset({-32400, -31002})
"""Errors of Payme's own workings, after which the money may still move: ask by `check`."""

DECLINED_AS: Mapping[int, str] = {
    -31400: "card-not-found",
    -31300: "card-invalid",
    -31301: "card-blocked",
    -31302: "insufficient-funds",
    -31303: "insufficient-funds",
    -31630: "insufficient-funds",
    -32500: "card-token-invalid",
}
"""Why a card was not charged, by the code of the refusal; no official page lists them, so any other is a decline."""

M = TypeVar("M", bound=BaseModel)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class CardToken(_Answer):
    """What is known of the card behind a token; its number is masked."""

    number: str
    expire: str
    recurrent: bool
    verify: bool


class Receipt(_Answer):
    id: str = Field(alias="_id")
    state: int
    amount_tiyin: int = Field(alias="amount")

    @property
    def amount(self) -> Decimal:
        """So'm."""
        return from_tiyin(self.amount_tiyin)

    @property
    def is_paid(self) -> bool:
        return self.state == PAID

    @property
    def is_cancelled(self) -> bool:
        return self.state in CANCELLED


class PaymeSubscribeApi:
    """Every call raises `Refused` and `OutcomeUnknown`. Nothing is charged before `pay`, and by one receipt once."""

    def __init__(self, account: PaymeAccount, *, url: str = URL, total: float = TOTAL) -> None:
        self._auth = f"{account.merchant_id}:{account.keys[0]}"
        self._http = ProviderHttp(url, total=total)
        self._ids = count(1)

    async def check_card(self, token: str) -> CardToken:
        return _parse(CardToken, (await self._ask("cards.check", token=token)).get("card"))

    async def remove_card(self, token: str) -> None:
        await self._ask("cards.remove", token=token)

    async def create(self, order_number: str, amount: Decimal, description: str) -> Receipt:
        """A receipt to pay; `amount` in so'm."""
        account = {ACCOUNT_FIELD: order_number}
        return await self._receipt("receipts.create", amount=to_tiyin(amount), account=account, description=description)

    async def pay(self, receipt_id: str, token: str) -> Receipt:
        return await self._receipt("receipts.pay", id=receipt_id, token=token)

    async def cancel(self, receipt_id: str) -> Receipt:
        """See to it that the receipt is not paid, or send the whole payment back."""
        return await self._receipt("receipts.cancel", id=receipt_id)

    async def get(self, receipt_id: str) -> Receipt:
        return await self._receipt("receipts.get", id=receipt_id)

    async def check(self, receipt_id: str) -> int:
        """The receipt's state."""
        state = (await self._ask("receipts.check", id=receipt_id)).get("state")
        if not isinstance(state, int):
            raise OutcomeUnknown("a receipt without a state")
        return state

    async def close(self) -> None:
        await self._http.close()

    async def _receipt(self, method: str, **params: Any) -> Receipt:
        return _parse(Receipt, (await self._ask(method, **params)).get("receipt"))

    async def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        call = {"id": next(self._ids), "method": method, "params": params}
        _, body = await self._http.ask("POST", "", safe=method in SAFE, headers={"X-Auth": self._auth}, json=call)
        error, result = body.get("error"), body.get("result")
        if isinstance(error, dict) and isinstance(code := error.get("code"), int):
            if code in UNSURE:
                raise OutcomeUnknown(f"error {code}")
            raise Refused(code, str(error.get("message", "")))
        if not isinstance(result, dict) or body.get("id") != call["id"]:
            raise OutcomeUnknown("neither a result nor an error of this call")
        return result


def declined_as(refusal: Refused) -> str:
    """The slug of a refused charge."""
    return DECLINED_AS.get(refusal.code, "card-declined")


def _parse(model: type[M], found: Any) -> M:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise OutcomeUnknown(f"no {model.__name__} in the answer") from error
