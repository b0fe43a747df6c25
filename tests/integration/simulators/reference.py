"""A shop that is the rules of `services.payments.providers` and a dictionary: what an adapter has to be, in memory.

`mutant` names the one thing that it then does wrong: whoever plays against it must notice.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH
from services.payments.providers.click import ClickAccount, shop
from services.payments.providers.payme import PaymeAccount, rpc, rules
from services.payments.providers.payme.errors import Code, PaymeError
from services.payments.providers.payme.rules import PaymeTransaction

PAYME = PaymeAccount("5f1d9d2a4b3c2d1e0f9a8b7c", keys=("test_key",))
CLICK = ClickAccount(777, merchant_id=5, merchant_user_id=6, secret_key="test_secret")


@dataclass
class Order:
    number: str
    total: Decimal = Decimal("150000.00")
    payme: str | None = None
    """Id of the transaction that holds or paid it."""
    click: int | None = None
    """Its prepare id."""
    paid: bool = False
    cancelled: bool = False


@dataclass
class ReferenceShop:
    mutant: str = ""
    orders: dict[str, Order] = field(default_factory=dict)
    payme: dict[str, PaymeTransaction] = field(default_factory=dict)
    click: dict[int, shop.ClickTransaction] = field(default_factory=dict)
    flagged: list[int] = field(default_factory=list)
    fiscal_data: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _ids: "count[int]" = field(default_factory=lambda: count(1))
    _row: asyncio.Lock = field(default_factory=asyncio.Lock)

    def order(self, number: str | None = None) -> Order:
        number = number or f"2026-{next(self._ids):06d}"
        return self.orders.setdefault(number, Order(number))

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route(PAYME_PATH, self._payme, methods=["GET", "POST"]),
                Route(CLICK_PREPARE_PATH, self._click, methods=["POST"]),
                Route(CLICK_COMPLETE_PATH, self._click, methods=["POST"]),
            ]
        )

    async def _payme(self, request: Request) -> Response:
        account = replace(PAYME, keys=("test_key", "not-the-key")) if self.mutant == "any key" else PAYME
        body = await request.body()
        call = rpc.receive(account, request.method, request.headers.get("Authorization"), body)
        if isinstance(call, dict):
            return JSONResponse(call, 400 if self.mutant == "honest status" else 200)
        seen = dict(self.payme), {number: replace(order) for number, order in self.orders.items()}
        await asyncio.sleep(0.01)  # lets others in
        if self.mutant == "looks before it locks":
            self.payme, self.orders = seen
        try:
            async with self._row:
                answer = call.answer(self.payme_result(call.params, int(time.time() * 1000)))
        except PaymeError as refusal:
            answer = call.refuse(refusal)
        if self.mutant == "forgets the id":
            answer["id"] = 1
        return JSONResponse(answer)

    def payme_result(self, params: rpc.Params, now: int) -> Any:
        match params:
            case rpc.CheckPerformParams():
                self._check(params)
                return rules.ALLOW
            case rpc.StatementParams():
                found = [t for t in self.payme.values() if params.from_ <= t.time <= params.to]
                if self.mutant == "lists all":
                    found = list(self.payme.values())
                return {"transactions": [rules.statement_item(t) for t in sorted(found, key=lambda t: t.time)]}
            case rpc.FiscalParams():
                if params.id not in self.payme:
                    raise PaymeError(Code.RECEIPT_NOT_FOUND)
                self.fiscal_data[params.id, params.type] = params.fiscal_data
                return rules.FISCAL_DATA_KEPT
            case rpc.CreateParams() | rpc.PerformParams() | rpc.CancelParams() | rpc.CheckParams():
                return rules.result_of(params, self._move(params, now))
        raise AssertionError(params)

    def _move(
        self, params: rpc.CreateParams | rpc.PerformParams | rpc.CancelParams | rpc.CheckParams, now: int
    ) -> PaymeTransaction:
        stored = self.payme.get(params.id)
        clock = now - rules.LIFE if self.mutant == "no time-out" else now
        do = rules.decide(params, stored, clock)
        if do is rules.Do.OPEN:
            assert isinstance(params, rpc.CreateParams)
            self._check(params)
            opened = PaymeTransaction(params.id, params.time, params.amount, params.order_number, now, str(uuid4()))
            self.orders[params.order_number].payme = params.id
            return self._store(opened)
        assert stored is not None
        order = self.orders[stored.order_number]
        if do is rules.Do.ANSWER:
            return self._repeat(stored, now)
        if do is rules.Do.PERFORM:
            order.paid = True
            return self._store(stored.performed(now))
        if self.mutant != "order not freed":
            order.payme, order.paid = None, False
        if do is rules.Do.EXPIRE:
            self._store(stored.expired(now))
            raise PaymeError(Code.NOT_NOW)
        assert isinstance(params, rpc.CancelParams)
        return self._store(stored.cancelled(now, params.reason))

    def _repeat(self, stored: PaymeTransaction, now: int) -> PaymeTransaction:
        if self.mutant == "second answer differs":
            return replace(stored, create_time=now, perform_time=stored.perform_time and now)
        return stored

    def _store(self, transaction: PaymeTransaction) -> PaymeTransaction:
        self.payme[transaction.id] = transaction
        return transaction

    def _check(self, params: rpc.OrderParams) -> None:
        order = self.orders.get(params.order_number)
        obstacle = None
        if order:
            if order.cancelled:
                obstacle = rules.Obstacle.CANCELLED
            elif order.paid:
                obstacle = rules.Obstacle.PAID
            elif order.payme and self.mutant != "two at once":
                obstacle = rules.Obstacle.BUSY
        total = order.total if order else None
        if order and self.mutant == "any amount":
            total = Decimal(params.amount) / 100
        rules.check_order(PAYME, params, total, obstacle)

    async def _click(self, request: Request) -> Response:
        body = await request.body()
        found = shop.receive(CLICK, self._resigned(body) if self.mutant == "any signature" else body)
        if isinstance(found, shop.Refusal):
            return JSONResponse(found.answer())
        seen = dict(self.click), {number: replace(order) for number, order in self.orders.items()}
        await asyncio.sleep(0.01)  # lets others in
        if self.mutant == "looks before it locks":
            self.click, self.orders = seen
        async with self._row:
            return JSONResponse(self._prepare(found) if found.action is shop.Action.PREPARE else self._complete(found))

    def _resigned(self, body: bytes) -> bytes:
        form = shop.read_form(body)
        wrong, right = form["sign_string"], shop.signature(form, CLICK.secret_key)
        return body.replace(wrong.encode(), right.encode())

    def _prepare(self, found: shop.ClickRequest) -> dict[str, Any]:
        order = self.orders.get(found.order_number)
        stored = next((t for t in self.click.values() if t.click_trans_id == found.click_trans_id), None)
        if self.mutant == "second answer differs" and stored:
            stored = self.click[stored.prepare_id] = replace(stored, prepare_id=next(self._ids))
        obstacle = None
        if order:
            if order.cancelled:
                obstacle = shop.Obstacle.CANCELLED
            elif order.paid:
                obstacle = shop.Obstacle.PAID
            elif order.click and (stored is None or order.click != stored.prepare_id):
                obstacle = shop.Obstacle.BUSY
        total = found.amount if order and self.mutant == "any amount" else order.total if order else None
        decision = shop.decide_prepare(CLICK, found, total, obstacle, stored)
        if decision.do is shop.Do.OPEN:
            assert order
            stored = shop.ClickTransaction(next(self._ids), found.click_trans_id, order.number, order.total)
            self.click[stored.prepare_id] = stored
            order.click = stored.prepare_id
        return shop.answer(found, decision.code, stored)

    def _complete(self, found: shop.ClickRequest) -> dict[str, Any]:
        order = self.orders.get(found.order_number)
        stored = self.click.get(found.prepare_id or 0)
        if self.mutant == "any amount" and stored:
            found = replace(found, amount=stored.amount)
        if self.mutant == "any prepare id" and stored is None:
            stored = next((t for t in self.click.values() if t.click_trans_id == found.click_trans_id), None)
        decision = shop.decide_complete(found, order_exists=order is not None, transaction=stored)
        if decision.do in (shop.Do.CONFIRM, shop.Do.CANCEL, shop.Do.FLAG):
            assert order
            assert stored
            if decision.do is shop.Do.CONFIRM:
                order.paid = True
                stored = replace(stored, state=shop.State.CONFIRMED, confirm_id=next(self._ids))
            elif decision.do is shop.Do.FLAG:
                self.flagged.append(stored.prepare_id)
                if self.mutant == "un-pays":
                    stored = replace(stored, state=shop.State.CANCELLED)
            else:
                stored = replace(stored, state=shop.State.CANCELLED)
                if self.mutant != "order not freed":
                    order.click = None
            self.click[stored.prepare_id] = stored
        return shop.answer(found, decision.code, stored)
