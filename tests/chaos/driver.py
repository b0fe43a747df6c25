"""The load: clients and workers who insist until they are answered, and who remember all that they were promised."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from marketplace.simulators.calls import PaymeDesk
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.sender import Request, Sender
from marketplace.simulators.servers.checkout import PaidOnPage
from marketplace.simulators.servers.payme_api import Card, PaymeBooks
from tests.e2e.journeys import RETRIED, insist
from tests.support.people import Person, expect, register

GOOD_CARD, POOR_CARD = "8600069195406311", "4444445987459073"
TAKEN_LONG = 90.0
"""Seconds after which one who still has no outcome goes away; what they were promised stays promised."""
STORIES_OF_A_PAIR = 12
"""After which others come, for people too are written."""


@dataclass
class Promises:
    """Every write that was offered, and all that a 2xx said has happened."""

    offered: int = 0
    acknowledged: int = 0
    users: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    orders: dict[str, str] = field(default_factory=dict)
    """Order → its description, which is the order's alone."""
    moves: set[tuple[str, str]] = field(default_factory=set)
    """(order, status)."""
    payments: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)
    refunds: set[str] = field(default_factory=set)
    disputes: set[str] = field(default_factory=set)
    resolved: set[str] = field(default_factory=set)
    surprises: Counter[str] = field(default_factory=Counter)
    """Answers that nobody should be given, faults or not."""


@dataclass(frozen=True)
class Town:
    """Where the load is played: the marketplace, its admin, and Payme."""

    http: httpx.AsyncClient
    admin: Person
    desk: PaymeDesk
    books: PaymeBooks
    sender: Sender


class Driver:
    """Several tellers of stories at once. What each does next is drawn from the seed alone."""

    def __init__(self, seed: int, town: Town, tellers: int = 6) -> None:
        self.promises = Promises()
        self._seed, self._town, self._tellers = seed, town, tellers
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Play stories until `end`."""
        await asyncio.gather(*(self._tell(teller) for teller in range(self._tellers)))

    def end(self) -> None:
        """Begin no more stories."""
        self._ending.set()

    async def _tell(self, number: int) -> None:
        stories = 0
        while not self._ending.is_set():
            try:
                pair = await self._new_pair()
                for _ in range(STORIES_OF_A_PAIR):
                    stories += 1
                    await Story(self._town, self.promises, pair, f"{self._seed}/{number}/{stories}").play()
                    if self._ending.is_set():
                        return
            except (httpx.TransportError, _Gone):
                continue  # without an answer nothing was promised

    async def _new_pair(self) -> "Pair":
        self.promises.offered += 3
        client, worker = [await self._registered(role) for role in ("client", "worker")]
        categories = _answered(await insist(worker, "/api/services/categories/"), 200)["results"]
        body = {"title": "Leaking tap repair", "description": "Same day.", "price": "150000.00"}
        made = await insist(worker, "/api/services/", body | {"category_id": categories[0]["id"]})
        service_id = _answered(made, 201)["id"]
        self.promises.services.add(service_id)
        self.promises.acknowledged += 1
        return Pair(client, worker, service_id)

    async def _registered(self, role: str) -> Person:
        deadline = time.monotonic() + TAKEN_LONG
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError, AssertionError):
                person = await register(self._town.http, role)
                self.promises.users.add(person.id)
                self.promises.acknowledged += 1
                return person
            await asyncio.sleep(0.2)
        raise _Gone


class _Gone(Exception):
    """Whoever plays the story has waited too long for its outcome."""


@dataclass(frozen=True)
class Pair:
    client: Person
    worker: Person
    service_id: str


class Story:
    """One order, and what becomes of it. What is left to chance in it is drawn from its name, which is its own."""

    def __init__(self, town: Town, promises: Promises, pair: Pair, name: str) -> None:
        self._town, self._promises, self._pair, self._name = town, promises, pair, name
        self._chance = random.Random(name)
        self._keys = 0
        self._order: dict[str, Any] = {}

    async def play(self) -> None:
        plots: dict[Callable[[], Awaitable[object]], int] = {
            self._completed: 5,
            self._cancelled_unaccepted: 1,
            self._cancelled_and_paid: 3,
            self._disputed: 2,
            self._refunded: 2,
            self._paid_twice_at_once: 2,
            self._paid_on_page: 4,
            self._forgotten: 1,
        }
        [plot] = self._chance.choices([*plots], [*plots.values()])
        await self._ordered()
        await plot()

    # --- plots ---------------------------------------------------------------------------------------------------

    async def _completed(self) -> None:
        await self._accepted()
        await self._paid()
        await self._worked()

    async def _cancelled_unaccepted(self) -> None:
        await self._moved(self._pair.client, "cancelled")

    async def _cancelled_and_paid(self) -> None:
        """Which of the two is first is anyone's guess: the money goes back, or is never taken."""
        await self._accepted()
        pause = self._chance.uniform(0, 0.3)

        async def cancelled() -> None:
            await asyncio.sleep(pause)
            await self._moved(self._pair.client, "cancelled")

        await _both(self._paid(), cancelled())

    async def _disputed(self) -> None:
        await self._accepted()
        await self._paid()
        await self._worked()
        path = f"/api/orders/{self._order['id']}/dispute/"
        opened = await self._write(self._pair.client, path, {"reason": "It still drips."}, {201, 409})
        if opened.status_code == 201:
            self._promises.disputes.add(opened.json()["id"])
            part = f"{self._chance.choice(['0.00', '50000.00', '150000.00'])}"
            decision = {"refund_amount": part, "note": "As agreed."}
            decided = await self._write(self._town.admin, f"{path}resolve/", decision, {200, 409, 422})
            if decided.status_code == 200:
                self._promises.resolved.add(opened.json()["id"])

    async def _refunded(self) -> None:
        """By an admin: a part, which a person has to make at Payme, or the whole."""
        await self._accepted()
        if payment_id := await self._paid():
            body = self._chance.choice([{"amount": "40000.00", "reason": "Late"}, {"reason": "Wrong tap"}])
            path = f"/api/payments/{payment_id}/refund/"
            opened = await self._write(self._town.admin, path, body, {201, 409}, key=self._key())
            if opened.status_code == 201:
                self._promises.refunds.add(opened.json()["id"])

    async def _paid_twice_at_once(self) -> None:
        await self._accepted()
        await _both(self._paid(), self._paid())
        await self._worked()

    async def _paid_on_page(self) -> None:
        """Payme's calls arrive once, twice, late, together, or with their answers lost; and one of them too early."""
        await self._accepted()
        opened = await self._write(self._pair.client, self._pay_path, {"method": "payme"}, {200, 201, 409})
        if opened.status_code == 409:
            return
        tiyin = int(Decimal(self._order["total"]) * 100)
        paid = PaidOnPage(f"{self._chance.getrandbits(96):024x}", self._order["number"], tiyin, 1)
        account = {"amount": tiyin, "account": self._town.desk.account(paid.order_number)}
        if self._chance.random() < 0.3:
            await self._payme("PerformTransaction", {"id": paid.id})
        created = await self._payme("CreateTransaction", {"id": paid.id, "time": int(time.time() * 1000), **account})
        if "result" not in created:
            return
        self._town.books.transactions[paid.id] = paid
        performed = await self._payme("PerformTransaction", {"id": paid.id})
        if "result" in performed:
            paid.state = 2
        if "result" not in performed or self._chance.random() < 0.3:
            cancelled = await self._payme("CancelTransaction", {"id": paid.id, "reason": 5})
            paid.state = cancelled["result"]["state"] if "result" in cancelled else paid.state
        else:
            await self._worked()

    async def _forgotten(self) -> None:
        """Nobody accepts it: its time ends."""

    # --- steps ---------------------------------------------------------------------------------------------------

    async def _ordered(self) -> None:
        wish = {"service_id": self._pair.service_id, "address": "1 Navoi St", "description": self._name}
        made = await self._write(self._pair.client, "/api/orders/create/", wish, {201}, key=self._key())
        self._order = made.json()
        self._promises.orders[self._order["id"]] = self._name

    async def _accepted(self) -> None:
        await self._moved(self._pair.worker, "assigned", "assign", {})

    async def _worked(self) -> None:
        for status in ("in_progress", "completed"):
            await self._moved(self._pair.worker, status)

    async def _moved(self, by: Person, to: str, call: str = "status", body: Any = None) -> None:
        path = f"/api/orders/{self._order['id']}/{call}/"
        answer = await self._write(by, path, {"status": to} if body is None else body, {200, 409})
        if answer.status_code == 200:
            self._promises.moves.add((self._order["id"], to))

    @property
    def _pay_path(self) -> str:
        return f"/api/payments/order/{self._order['id']}/pay/"

    async def _paid(self) -> str | None:
        """The payment that has taken the money, as far as the payer was told."""
        card = Card(self._chance.choices([GOOD_CARD, POOR_CARD], [5, 1])[0], "0399", verified=True)
        self._town.books.cards[card.token] = card
        body = {"method": "card", "card": {"token": card.token}}
        keyed = self._chance.random() < 0.5
        deadline = time.monotonic() + TAKEN_LONG
        while time.monotonic() < deadline:
            key = self._key() if keyed else None
            answer = await self._write(self._pair.client, self._pay_path, body, {200, 201, 409}, key=key)
            if answer.status_code == 409:
                return None
            payment = answer.json()
            self._promises.payments.add(payment["id"])
            if payment["status"] == "completed":
                self._promises.captured.add(payment["id"])
                return str(payment["id"])
            if payment["status"] != "pending":
                return None
            await asyncio.sleep(0.3)
        raise _Gone

    async def _write(
        self, by: Person, path: str, body: Any, expected: set[int], key: str | None = None
    ) -> httpx.Response:
        """Insist on one write. Raises `_Gone` where it has no answer that tells."""
        self._promises.offered += 1
        deadline = time.monotonic() + TAKEN_LONG
        while True:
            answer = await insist(by, path, body, key)
            if not (answer.status_code == 409 and answer.json()["type"] == "in-progress"):
                break
            if time.monotonic() > deadline:
                raise _Gone
            await asyncio.sleep(1)
        if answer.is_success:
            self._promises.acknowledged += 1
        if answer.status_code not in expected:
            if answer.status_code not in RETRIED:
                self._promises.surprises[f"POST {path}: {answer.status_code} {answer.text[:200]}"] += 1
            raise _Gone
        return answer

    async def _payme(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What Payme is answered; it calls until someone does, however long that takes."""
        call = self._town.desk.call(method, params)
        delivery = self._chance.choice([*Delivery])
        while not (said := await self._payme_once(call, delivery)):
            await asyncio.sleep(0.3)
        return said

    async def _payme_once(self, call: Request, delivery: Delivery) -> dict[str, Any] | None:
        self._promises.offered += 1
        try:
            answers = await self._town.sender.send(call, delivery)
            said = [answer.json() for answer in answers]
        except (httpx.HTTPError, OSError, ValueError):  # and what a proxy says where nobody is
            return None
        done = [one for one in said if "result" in one]
        self._promises.acknowledged += len(done)
        if any(one != said[0] for one in done[1:]) and len(done) == len(said):
            self._promises.surprises[f"a copy of Payme's call was answered otherwise: {said}"] += 1
        if done:
            return dict(done[0])
        # -32400: something is away, and Payme asks again.
        refused = [one for one in said if "error" in one and one["error"]["code"] != -32400]
        return dict(refused[0]) if refused else None

    def _key(self) -> str:
        self._keys += 1
        return f"{self._name}/{self._keys}"


def _answered(answer: httpx.Response, status: int) -> Any:
    """Its JSON. Raises `_Gone` where there was nobody to answer for as long as one insists."""
    if answer.status_code in RETRIED:
        raise _Gone
    return expect(answer, status)


async def _both(*deeds: Awaitable[object]) -> None:
    """Do both at once, each to its end, also where the other fails."""
    outcomes = await asyncio.gather(*deeds, return_exceptions=True)
    for failed in (outcome for outcome in outcomes if isinstance(outcome, BaseException)):
        raise failed
