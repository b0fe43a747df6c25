"""Orders to play with: those that are named, or new ones of a client that can log in."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from marketplace.errors import CannotStart


@dataclass(frozen=True)
class PlayOrder:
    number: str
    amount: Decimal
    """So'm."""

    @property
    def tiyin(self) -> int:
        return int(self.amount * 100)


NextOrder = Callable[[], Awaitable[PlayOrder]]
"""An order that nobody has begun to pay."""


def parse_order(text: str) -> PlayOrder:
    """`2026-000001:150000.00`. Raises `CannotStart`."""
    if not (match := re.fullmatch(r"(.+):([0-9]+(?:\.[0-9]{1,2})?)", text)):
        raise CannotStart(f"{text!r} is no order: write it like 2026-000001:150000.00", 2)
    return PlayOrder(match[1], Decimal(match[2]).quantize(Decimal("0.01")))


def given_orders(orders: Sequence[PlayOrder], needed: int) -> NextOrder:
    """Raises `CannotStart` where there are fewer than will be asked for."""
    if len(orders) < needed:
        raise CannotStart(f"{needed} orders are needed: give more, or play fewer deliveries.", 2)
    left = iter(orders)

    async def next_order() -> PlayOrder:
        return next(left)

    return next_order


async def new_orders(http: httpx.AsyncClient, email: str, password: str) -> NextOrder:
    """Orders that this client makes of the first service there is. Raises `CannotStart`."""
    login = await _ask(http, "POST", "/api/auth/login/", {"email": email, "password": password})
    headers = {"Authorization": f"Bearer {login['access']}"}
    services = (await _ask(http, "GET", "/api/services/"))["results"]
    if not services:
        raise CannotStart("Nothing is offered that could be ordered: name orders by --order.")

    async def next_order() -> PlayOrder:
        wish = {"service_id": services[0]["id"], "address": "1 Navoi St, Tashkent"}
        order = await _ask(http, "POST", "/api/orders/create/", wish, headers)
        return PlayOrder(order["number"], Decimal(order["total"]))

    return next_order


async def _ask(
    http: httpx.AsyncClient, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Any:
    answer = await http.request(method, path, json=body, headers=headers)
    if answer.is_error:
        raise CannotStart(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()
