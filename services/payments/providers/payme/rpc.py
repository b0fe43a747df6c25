"""A request of the Merchant API, from the bytes to a call that can be believed: parsed, authorized, its types right.

Payme takes any HTTP status but 200 for a system error, so whatever comes in, an answer goes out.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.payments.providers.payme import ACCOUNT_FIELD, PaymeAccount
from services.payments.providers.payme.errors import Code, PaymeError


class Method(StrEnum):
    CHECK_PERFORM = "CheckPerformTransaction"
    CREATE = "CreateTransaction"
    PERFORM = "PerformTransaction"
    CANCEL = "CancelTransaction"
    CHECK = "CheckTransaction"
    STATEMENT = "GetStatement"
    SET_FISCAL_DATA = "SetFiscalData"


def _storable(value: Any) -> Any:
    if b"\\u0000" in orjson.dumps(value):
        raise ValueError("holds a NUL character, which no database keeps")
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > 4096:
        raise ValueError("is too large")
    return value


PaymeId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_storable)]
Timestamp = Annotated[int, Field(ge=0, le=9_999_999_999_999)]
"""Milliseconds; 0 is "not yet"."""


class Params(BaseModel):
    """Types as JSON gives them: `"500"` and `true` are no numbers. Members that the documents may add are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class OrderParams(Params):
    amount: int
    """Tiyin; whether it is the order's is not a matter of types."""
    account: dict[str, Any]

    @property
    def order_number(self) -> str:
        """Raises `PaymeError` where it can be no order's."""
        value = self.account.get(ACCOUNT_FIELD)
        number = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not 0 < len(number) <= 64 or "\x00" in number:
            raise PaymeError(Code.ORDER_NOT_FOUND, ACCOUNT_FIELD)
        return number


class CheckPerformParams(OrderParams):
    pass


class CreateParams(OrderParams):
    id: PaymeId
    time: Timestamp


class PerformParams(Params):
    id: PaymeId


class CheckParams(Params):
    id: PaymeId


class CancelParams(Params):
    id: PaymeId
    reason: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    """Any number is kept: the documents' list need not be the last."""


class StatementParams(Params):
    from_: Annotated[Timestamp, Field(alias="from")]
    to: Timestamp


class FiscalParams(Params):
    id: PaymeId
    type: Literal["PERFORM", "CANCEL"]
    fiscal_data: Annotated[dict[str, Any], AfterValidator(_small), AfterValidator(_storable)]


PARAMS: Mapping[Method, type[Params]] = {
    Method.CHECK_PERFORM: CheckPerformParams,
    Method.CREATE: CreateParams,
    Method.PERFORM: PerformParams,
    Method.CANCEL: CancelParams,
    Method.CHECK: CheckParams,
    Method.STATEMENT: StatementParams,
    Method.SET_FISCAL_DATA: FiscalParams,
}


@dataclass(frozen=True)
class Call:
    """One call by Payme, to be told apart by the type of `params`."""

    id: int | str
    params: Params

    def answer(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {"result": dict(result), "id": self.id}

    def refuse(self, error: PaymeError) -> dict[str, Any]:
        return error.answer(self.id)


def receive(account: PaymeAccount, http_method: str, authorization: str | None, body: bytes) -> Call | dict[str, Any]:
    """The call, or the answer to what is none. Nothing but its id is read of a request that is not authorized."""
    request, is_json = None, True
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        is_json = False
    call_id = _id_of(request)
    try:
        if http_method != "POST":
            raise PaymeError(Code.NOT_POST)
        if not is_authorized(account, authorization):
            raise PaymeError(Code.NOT_AUTHORIZED)
        if not is_json:
            raise PaymeError(Code.UNPARSABLE)
        return _call(request, call_id)
    except PaymeError as error:
        return error.answer(call_id)


def is_authorized(account: PaymeAccount, authorization: str | None) -> bool:
    """Whether the header is `Basic login:key` by a key of ours. Takes as long whichever byte is wrong."""
    scheme, _, encoded = (authorization or "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:  # no base64, or no ASCII
        given = b""
    found = False
    for key in filter(None, account.keys):
        found |= hmac.compare_digest(given, f"{account.login}:{key}".encode())
    return found and scheme.lower() == "basic"


def _id_of(request: Any) -> int | str | None:
    found = request.get("id") if isinstance(request, dict) else None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None


def _call(request: Any, call_id: int | str | None) -> Call:
    """Raises `PaymeError`."""
    if not isinstance(request, dict) or call_id is None:
        raise PaymeError(Code.BAD_REQUEST)
    name, params = request.get("method"), request.get("params")
    if not isinstance(name, str) or not isinstance(params, dict):
        raise PaymeError(Code.BAD_REQUEST)
    try:
        method = Method(name)
    except ValueError:
        raise PaymeError(Code.NO_SUCH_METHOD, name) from None
    try:
        return Call(call_id, PARAMS[method].model_validate(params))
    except ValidationError:
        code = Code.BAD_FISCAL_DATA if method is Method.SET_FISCAL_DATA else Code.BAD_REQUEST
        raise PaymeError(code) from None
