"""Click's own fifteen cases, played against a running SHOP-API, and what its documents ask beside.

One round takes three orders: the first two end paid, the third is free again, but for the races, which may pay it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from marketplace.simulators.calls import ClickShop
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import NextOrder, PlayOrder
from marketplace.simulators.report import Report, Row
from marketplace.simulators.sender import Request, Sender

_ids = count(int(time.time() * 1000))
"""Of attempts: new ones also after a restart."""

FORGERY = "not the secret"

Answer = dict[str, Any]


@dataclass
class Attempt:
    """What Click itself knows of one attempt to pay."""

    order: PlayOrder
    click_trans_id: int = field(default_factory=lambda: next(_ids))
    paydoc_id: int = field(default_factory=lambda: next(_ids))
    prepare_id: int | None = None
    """As Prepare answered it."""

    def fields(self, *, error: int = 0, amount: str | None = None, order_number: str | None = None) -> dict[str, str]:
        return {
            "click_trans_id": str(self.click_trans_id),
            "click_paydoc_id": str(self.paydoc_id),
            "merchant_trans_id": order_number or self.order.number,
            "amount": amount or f"{self.order.amount:.2f}",
            "error": str(error),
            "error_note": "Success" if error == 0 else "Insufficient funds",
            "sign_time": time.strftime("%Y-%m-%d %H:%M:%S"),
        }


@dataclass(frozen=True)
class Round:
    """The cases on three orders, with every call delivered the same way."""

    shop: ClickShop
    sender: Sender
    report: Report
    delivery: Delivery

    async def prepare(self, case: str, attempt: Attempt, code: int, *, secret: str | None = None, **how: Any) -> None:
        fields = attempt.fields(**how)
        answer = await self._send(case, self.shop.prepare(fields, secret=secret), fields, code, code)
        if answer.get("error") == 0:
            attempt.prepare_id = answer.get("merchant_prepare_id")

    async def complete(
        self,
        case: str,
        attempt: Attempt,
        code: int,
        *,
        again: int | None = None,
        secret: str | None = None,
        prepare_id: int | None = None,
        **how: Any,
    ) -> None:
        """`again` is what a copy is answered, where that is another code than the first one's."""
        fields = attempt.fields(**how)
        request = self.shop.complete(fields, str(prepare_id or attempt.prepare_id), secret=secret)
        await self._send(case, request, fields, code, code if again is None else again)

    async def race(
        self, case: str, calls: Sequence[tuple[Request, dict[str, str]]], words: str, fits: Callable[[list[Any]], bool]
    ) -> list[Answer]:
        """The answers to different calls of the same moment, the codes of which have to fit together."""
        try:
            sent = await asyncio.gather(*(self.sender.send(request) for request, _ in calls))
        except (httpx.HTTPError, OSError) as failure:
            self.report.add(Row("races", self.delivery, case, words, repr(failure), ok=False))
            return [{} for _ in calls]
        found = [_read(answer, fields) for [answer], (_, fields) in zip(sent, calls, strict=True)]
        codes = [answer.get("error") for answer, _ in found]
        problems = [problem for _, problem in found if problem]
        got = "; ".join([", ".join(map(str, codes)), *problems])
        self.report.add(Row("races", self.delivery, case, words, got, ok=fits(codes) and not problems))
        return [answer for answer, _ in found]

    async def _send(self, case: str, request: Request, fields: dict[str, str], code: int, again: int) -> Answer:
        allowed = _allowed(self.delivery, code, again)
        words = " or ".join(dict.fromkeys(", ".join(map(str, codes)) for codes in allowed))
        try:
            answers = await self.sender.send(request, self.delivery)
        except (httpx.HTTPError, OSError) as failure:
            self.report.add(Row("cases", self.delivery, case, words, repr(failure), ok=False))
            return {}
        found = [_read(answer, fields) for answer in answers]
        problems = [problem for _, problem in found if problem]
        if len({answer.get("merchant_prepare_id") for answer, _ in found}) > 1:
            problems.append("the copy was given another id")
        codes = [answer.get("error") for answer, _ in found]
        ok = not problems and codes in [list(some) for some in allowed]
        got = "; ".join([", ".join(map(str, codes)), *problems])
        self.report.add(Row("cases", self.delivery, case, words, got, ok))
        return found[-1][0]


def _allowed(delivery: Delivery, first: int, again: int) -> Sequence[tuple[int, ...]]:
    """The codes that may arrive, in the order of the calls."""
    match delivery:
        case Delivery.TWICE:
            return [(first, again)]
        case Delivery.PARALLEL:
            return [(first, again), (again, first)]
        case Delivery.LOST:
            return [(again,)]
        case Delivery.DROPPED:
            return [(first,), (again,)]
        case _:
            return [(first,)]


def _read(answer: httpx.Response, fields: dict[str, str]) -> tuple[Answer, str | None]:
    """The answer, and what is wrong with its form."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    if answer.status_code != httpx.codes.OK or not isinstance(said, dict):
        return {}, f"HTTP {answer.status_code}: {answer.text[:100]}"
    if type(said.get("error")) is not int or not isinstance(said.get("error_note"), str):
        return said, "no whole number as error, or no error_note"
    if said["error"] == 0:
        echoed = (said.get("click_trans_id"), said.get("merchant_trans_id"))
        if echoed != (int(fields["click_trans_id"]), fields["merchant_trans_id"]):
            return said, f"echoes {echoed}"
        if type(said.get("merchant_prepare_id")) is not int:
            return said, f"merchant_prepare_id is {said.get('merchant_prepare_id')!r}"
        if not isinstance(said.get("merchant_confirm_id"), int | None):
            return said, f"merchant_confirm_id is {said['merchant_confirm_id']!r}"
    return said, None


async def play(round_: Round, orders: Sequence[PlayOrder]) -> None:
    """The fifteen cases of the official collection; a letter marks one of ours."""
    prepare, complete = round_.prepare, round_.complete
    a, b, c = (Attempt(order) for order in orders)
    wrong_amount = "300" if a.order.amount != 300 else "301"

    await prepare("1 Prepare, bad signature", a, -1, secret=FORGERY)
    await prepare("2 Prepare, unknown order", Attempt(a.order), -5, order_number="no-such-order")
    await prepare("2a Prepare, wrong amount", Attempt(a.order), -2, amount=wrong_amount)
    await prepare("3 Prepare", a, 0)
    await complete("4 Complete, bad signature", a, -1, secret=FORGERY)
    await complete("5 Complete, wrong amount", a, -2, amount=wrong_amount)
    await complete("6 Complete", a, 0, again=-4)
    await complete("7 Complete again", a, -4)
    await complete("8 Complete, error -5017 on a paid one", a, -9, error=-5017)
    await complete("8a Complete: it is still paid", a, -4)
    await prepare("8b Prepare, paid order", Attempt(a.order), -4)
    await prepare("9 Prepare", b, 0)
    await complete("10 Complete, unknown prepare id", b, -6, prepare_id=999999999)
    await complete("11 Complete", b, 0, again=-4)
    await prepare("12 Prepare", c, 0)
    await complete("13 Complete, error -5017", c, -9, error=-5017)
    await complete("14 Complete, error -5017 again", c, -9, error=-5017)
    await complete("15 Complete after the cancel", c, -9)
    freed = Attempt(c.order)
    await prepare("15a Prepare, freed order", freed, 0)
    await complete("15b Complete, error -5017", freed, -9, error=-5017)


async def races(round_: Round, order: PlayOrder) -> None:
    """Of two attempts on one order one is prepared; of its success and its failure, told at once, one stands."""
    shop, rivals = round_.shop, [Attempt(order), Attempt(order)]
    prepares = [(shop.prepare(rival.fields()), rival.fields()) for rival in rivals]
    answers = await round_.race("two of Prepare", prepares, "one 0", lambda codes: codes.count(0) == 1)
    won = 0 if answers[0].get("error") == 0 else 1
    winner = rivals[won]
    winner.prepare_id = answers[won].get("merchant_prepare_id")
    ends = [winner.fields(), winner.fields(error=-5017)]
    completes = [(shop.complete(fields, str(winner.prepare_id)), fields) for fields in ends]
    words = "0, -9 or -9, -9"
    paid, _ = await round_.race("Complete, and error -5017", completes, words, [[0, -9], [-9, -9]].__contains__)
    await round_.complete("Complete: as it was told", winner, -4 if paid.get("error") == 0 else -9)


async def simulate(shop: ClickShop, sender: Sender, next_order: NextOrder, deliveries: Iterable[Delivery]) -> Report:
    """Play a round by each delivery; three orders for each."""
    report = Report()
    for delivery in deliveries:
        orders = [await next_order() for _ in range(3)]
        round_ = Round(shop, sender, report, delivery)
        await play(round_, orders)
        if delivery is Delivery.PARALLEL:
            await races(round_, orders[2])
    return report
