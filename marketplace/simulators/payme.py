"""Payme's sandbox, played against a running Merchant API: its two official scripts, and what else the documents ask.

Each script is played once per delivery, on an order that it leaves as it found it: a cancelled transaction frees it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from marketplace.simulators.calls import PaymeDesk
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import NextOrder, PlayOrder
from marketplace.simulators.payme_play import (
    ACCOUNT_ERRORS,
    Answer,
    Expected,
    Play,
    Transaction,
    error,
    new_id,
    now,
    result,
)
from marketplace.simulators.report import Report
from marketplace.simulators.sender import Sender

HALF_A_DAY = 43_200_000
UNKNOWN_ORDER = "no-such-order"
UNKNOWN_ID = "0" * 24
ON_ORDERS = ("CheckPerformTransaction", "CreateTransaction")
IS_BUSY = error(-31008, *ACCOUNT_ERRORS, words="-31008 or -31050 … -31099")
"""The documents' own code is the first; a shop may be set to one of the others."""


async def refusals(play: Play, order: PlayOrder) -> None:
    """What is no call of Payme's, and what is none at all."""
    desk, transaction = play.desk, Transaction(new_id(), now(), order)
    every = {
        "CheckPerformTransaction": transaction.check(desk),
        "CreateTransaction": transaction.create(desk),
        "PerformTransaction": {"id": transaction.id},
        "CancelTransaction": {"id": transaction.id, "reason": 1},
        "CheckTransaction": {"id": transaction.id},
        "GetStatement": {"from": 0, "to": now()},
        "SetFiscalData": _fiscal_data(transaction.id),
    }
    for method, params in every.items():
        await play.call(f"{method}, wrong key", method, params, error(-32504), key="not-the-key")
    for method in ("PerformTransaction", "CancelTransaction", "CheckTransaction"):
        params = every[method] | {"id": UNKNOWN_ID}
        await play.call(f"{method}, unknown id", method, params, error(-31003))
    await play.call("SetFiscalData, unknown id", "SetFiscalData", _fiscal_data(UNKNOWN_ID), error(-32001))
    await play.call("SetFiscalData, nothing", "SetFiscalData", {"id": UNKNOWN_ID}, error(-32602))
    await play.call("unknown method", "NoSuchMethod", {}, error(-32601, data="NoSuchMethod"))
    await play.call("CheckTransaction without id", "CheckTransaction", {}, error(-32600))
    await play.send("broken JSON", desk.raw(b'{"method": "CheckTr'), error(-32700))
    await play.send("GET", desk.raw(b"", http_method="GET"), error(-32300))


async def _wrong_orders(play: Play, transaction: Transaction) -> None:
    desk, good = play.desk, transaction.create(play.desk)
    for method in ON_ORDERS:
        for amount in (transaction.order.tiyin + 1, transaction.order.tiyin - 1):
            await play.call(f"{method}, amount {amount}", method, good | {"amount": amount}, error(-31001))
        unknown = good | {"account": desk.account(UNKNOWN_ORDER)}
        account_error = error(*ACCOUNT_ERRORS, words="-31050 … -31099", data=desk.account_field)
        await play.call(f"{method}, unknown order", method, unknown, account_error)


async def _create(play: Play, transaction: Transaction) -> Answer:
    """CheckPerform, Create, Check, and a second transaction in vain; returns Create's result."""
    desk = play.desk
    await play.call("CheckPerformTransaction", ON_ORDERS[0], transaction.check(desk), result(allow=True))
    answer = await play.call("CreateTransaction", ON_ORDERS[1], transaction.create(desk), result(state=1))
    created: Answer = answer.get("result") or {}
    unset = {"perform_time": 0, "cancel_time": 0, "reason": None}
    await _check(play, transaction, created, state=1, **unset)
    other = Transaction(new_id(), now(), transaction.order)
    await play.call("CreateTransaction, busy order", ON_ORDERS[1], other.create(desk), IS_BUSY)
    return created


async def _check(play: Play, transaction: Transaction, created: Answer, **members: Any) -> None:
    known = {name: created.get(name) for name in ("create_time", "transaction")} | members
    await play.call("CheckTransaction", "CheckTransaction", {"id": transaction.id}, result(**known))


async def _cancel(play: Play, transaction: Transaction, created: Answer, *, reason: int, state: int) -> None:
    params = {"id": transaction.id, "reason": reason}
    answer = await play.call("CancelTransaction", "CancelTransaction", params, result(state=state))
    cancel_time = (answer.get("result") or {}).get("cancel_time")
    again = params | {"reason": reason + 1}
    same = result(state=state, cancel_time=cancel_time)
    await play.call("CancelTransaction, other reason", "CancelTransaction", again, same)
    await _check(play, transaction, created, state=state, cancel_time=cancel_time, reason=reason)
    for method, late in (("PerformTransaction", {}), ("CreateTransaction", transaction.create(play.desk))):
        await play.call(f"{method}, cancelled", method, {"id": transaction.id, **late}, error(-31008))


async def _is_free(play: Play, order: PlayOrder) -> None:
    check = Transaction(new_id(), now(), order).check(play.desk)
    await play.call("CheckPerformTransaction, freed order", ON_ORDERS[0], check, result(allow=True))


async def s1(play: Play, order: PlayOrder) -> None:
    """Created and cancelled."""
    transaction = Transaction(new_id(), now(), order)
    await _wrong_orders(play, transaction)
    created = await _create(play, transaction)
    await _cancel(play, transaction, created, reason=1, state=-1)
    await _is_free(play, order)


async def s2(play: Play, order: PlayOrder) -> None:
    """Created, performed, and taken back."""
    transaction = Transaction(new_id(), now(), order)
    created = await _create(play, transaction)
    by_id = {"id": transaction.id}
    answer = await play.call("PerformTransaction", "PerformTransaction", by_id, result(state=2))
    times = {"perform_time": (answer.get("result") or {}).get("perform_time")}
    await _check(play, transaction, created, state=2, cancel_time=0, reason=None, **times)
    await play.call("CheckPerformTransaction, paid order", ON_ORDERS[0], transaction.check(play.desk), IS_BUSY)
    await play.call("CreateTransaction, performed", ON_ORDERS[1], transaction.create(play.desk), error(-31008))
    await play.call("SetFiscalData", "SetFiscalData", _fiscal_data(transaction.id), result(success=True))
    await _statement(play, transaction, created | times)
    await _cancel(play, transaction, created, reason=5, state=-2)
    await _check(play, transaction, created, state=-2, **times)
    await _is_free(play, order)


async def _statement(play: Play, transaction: Transaction, known: Answer) -> None:
    check = transaction.check(play.desk)
    wanted = known | {"id": transaction.id, "time": transaction.time, "amount": check["amount"], "state": 2}

    def is_listed(answer: Answer) -> bool:
        listed = answer["result"]["transactions"]
        times = [item["time"] for item in listed]
        ours = [item for item in listed if item["id"] == transaction.id]
        return times == sorted(times) and len(ours) == 1 and wanted.items() <= ours[0].items()

    def is_not_listed(answer: Answer) -> bool:
        return all(item["id"] != transaction.id for item in answer["result"]["transactions"])

    day = {"from": transaction.time - HALF_A_DAY, "to": transaction.time}
    await play.call("GetStatement", "GetStatement", day, Expected("lists it, ascending", is_listed))
    before = day | {"to": transaction.time - 1}
    await play.call("GetStatement, before it", "GetStatement", before, Expected("does not list it", is_not_listed))
    after = {"from": transaction.time + 1, "to": transaction.time + HALF_A_DAY}
    await play.call("GetStatement, after it", "GetStatement", after, Expected("does not list it", is_not_listed))


def _fiscal_data(transaction_id: str) -> dict[str, Any]:
    data = {
        "receipt_id": 121,
        "status_code": 0,
        "message": "accepted",
        "terminal_id": "EP000000000025",
        "fiscal_sign": "800031554082",
        "qr_code_url": "https://ofd.soliq.uz/check",
        "date": "20220706221021",
    }
    return {"id": transaction_id, "type": "PERFORM", "fiscal_data": data}


async def s3(play: Play, order: PlayOrder, *, left: float = 1.0) -> None:
    """Created `left` seconds before its twelve hours are over, which count from Payme's own time; then too late."""
    transaction = Transaction(new_id(), now() - HALF_A_DAY + int(left * 1000), order)
    answer = await play.call("CreateTransaction, old", ON_ORDERS[1], transaction.create(play.desk), result(state=1))
    await asyncio.sleep(left + 0.1)
    await play.call("PerformTransaction, too old", "PerformTransaction", {"id": transaction.id}, error(-31008))
    await _check(play, transaction, answer.get("result") or {}, state=-1, reason=4)
    await _is_free(play, order)


async def races(play: Play, order: PlayOrder) -> None:
    """Of two transactions on one order one is created; of its Perform and its Cancel the later one answers for both."""
    desk, rivals = play.desk, [Transaction(new_id(), now(), order) for _ in range(2)]
    created = result(state=1)
    answers = await play.race(
        "two of CreateTransaction",
        [desk.call("CreateTransaction", rival.create(desk)) for rival in rivals],
        (created, IS_BUSY),
        (IS_BUSY, created),
    )
    winner, answer = next(
        ((rival, said) for rival, said in zip(rivals, answers, strict=True) if said.get("result")), (rivals[0], {})
    )
    by_id = {"id": winner.id}
    _, cancelled = await play.race(
        "PerformTransaction and CancelTransaction",
        [desk.call("PerformTransaction", by_id), desk.call("CancelTransaction", by_id | {"reason": 5})],
        (result(state=2), result(state=-2)),
        (error(-31008), result(state=-1)),
    )
    last = cancelled.get("result") or {}
    members = {name: last.get(name) for name in ("state", "cancel_time")}
    await _check(play, winner, answer.get("result") or {}, reason=5, **members)
    await _is_free(play, order)


async def simulate(desk: PaymeDesk, sender: Sender, next_order: NextOrder, deliveries: Iterable[Delivery]) -> Report:
    """Play everything by each delivery; one order for each."""
    report = Report()
    for delivery in deliveries:
        order = await next_order()
        for script in (refusals, s1, s2):
            await script(Play(desk, sender, report, script.__name__, delivery), order)
        if delivery is Delivery.ONCE:  # a copy that comes when the time is over is rightly answered otherwise
            await s3(Play(desk, sender, report, "s3", delivery), order)
        if delivery is Delivery.PARALLEL:
            await races(Play(desk, sender, report, "races", delivery), order)
    return report
