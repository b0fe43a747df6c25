"""What Payme and Click send, as their documents write it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode

from marketplace.simulators.sender import Request

PAYME_PATH = "/api/payments/providers/payme/"
CLICK_PREPARE_PATH = "/api/payments/providers/click/prepare/"
CLICK_COMPLETE_PATH = "/api/payments/providers/click/complete/"


@dataclass(frozen=True)
class PaymeDesk:
    """A cash desk, seen from Payme's side."""

    url: str
    """Of the Merchant API's endpoint."""
    key: str = field(repr=False)
    login: str = "Paycom"
    account_field: str = "order_id"
    _ids: "count[int]" = field(default_factory=lambda: count(1), repr=False, compare=False)

    def call(self, method: str, params: Mapping[str, Any], *, key: str | None = None) -> Request:
        """A call of the Merchant API, with another `key` where one is given."""
        return self.raw(json.dumps({"method": method, "params": params, "id": next(self._ids)}).encode(), key=key)

    def raw(self, body: bytes, *, key: str | None = None, http_method: str = "POST") -> Request:
        credentials = f"{self.login}:{self.key if key is None else key}".encode()
        headers = {
            "Content-Type": "text/json; charset=UTF-8",
            "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
        }
        return Request(http_method, self.url, headers, body)

    def account(self, order_number: str) -> dict[str, str]:
        return {self.account_field: order_number}


@dataclass(frozen=True)
class ClickShop:
    """A service, seen from Click's side."""

    prepare_url: str
    complete_url: str
    service_id: int
    secret_key: str = field(repr=False)

    def prepare(self, fields: Mapping[str, str], *, secret: str | None = None) -> Request:
        return self._signed(self.prepare_url, {**fields, "action": "0"}, "", secret)

    def complete(self, fields: Mapping[str, str], prepare_id: str, *, secret: str | None = None) -> Request:
        form = {**fields, "merchant_prepare_id": prepare_id, "action": "1"}
        return self._signed(self.complete_url, form, prepare_id, secret)

    def _signed(self, url: str, form: dict[str, str], prepare_id: str, secret: str | None) -> Request:
        form["service_id"] = str(self.service_id)
        first, last = ("click_trans_id", "service_id"), ("amount", "action", "sign_time")
        parts = [
            *(form[name] for name in first),
            self.secret_key if secret is None else secret,
            form["merchant_trans_id"],
            prepare_id,
            *(form[name] for name in last),
        ]
        form["sign_string"] = hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", url, headers, urlencode(form).encode())
