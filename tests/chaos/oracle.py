"""What must be true when the faults are over and all is quiet: asked of databases and of the provider's journal.

Each finding is a line that says what is wrong with which thing. It is of one of three kinds: something acknowledged or
told is lost, something has happened twice (doubled), or two that know the same thing do not agree (a mismatch).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg

from marketplace.registry import SERVICES
from marketplace.simulators.servers.payme_api import CANCELLED, PAID, TO_BE_CANCELLED, PaymeBooks
from services.notifications.events import NOTICES
from services.orders.domain import payment_status
from services.payments.repo.verify import QUERIES, VIEWS
from shared.contracts import LISTENERS, Envelope
from tests.chaos.driver import Promises

LATE = 5
"""Seconds after its deadline by which an order must have been cancelled."""


@dataclass
class Findings:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    dead: int = 0
    """Dead letters; no finding by themselves."""

    @property
    def all(self) -> list[str]:
        kinds = (("lost", self.lost), ("doubled", self.doubled), ("mismatch", self.mismatches))
        return [f"{kind}: {line}" for kind, lines in kinds for line in lines]


class Databases:
    """The five, by service."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses

    def rows(self, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.addresses[service]) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def column(self, service: str, query: str, *values: Any) -> list[Any]:
        return [value for (value,) in self.rows(service, query, *values)]


_WAITING: Mapping[str, tuple[Iterable[str], str]] = {
    "events to publish": (SERVICES, "SELECT count(*) FROM outbox WHERE published_at IS NULL"),
    "events to try again": (SERVICES, "SELECT count(*) FROM inbox WHERE state = 'retry'"),
    "payments without an outcome": (("payments",), "SELECT count(*) FROM payments WHERE status = 'pending' AND held"),
    "refunds without an outcome": (("payments",), "SELECT count(*) FROM refunds WHERE status = 'pending'"),
}


def waiting(databases: Databases) -> list[str]:
    """What is still under way."""
    counts = {
        f"{service}: {what}": databases.column(service, query)[0]
        for what, (services, query) in _WAITING.items()
        for service in services
    }
    return [f"{count} of {what}" for what, count in counts.items() if count]


def judge(databases: Databases, promises: Promises, books: PaymeBooks) -> Findings:
    """All findings. Ask when nothing is `waiting`: what is under way is no loss yet."""
    found = Findings()
    found.mismatches.extend(f"{count} times {what}" for what, count in promises.surprises.items())
    _acknowledged_exists(databases, promises, found)
    _orders_are_single(databases, promises, found)
    events = _events(databases)
    _events_arrived(databases, events, found)
    _everyone_is_told_once(databases, events, found)
    _copies_agree(databases, found)
    _money_agrees(databases, found)
    _journal_agrees(databases, books, found)
    _no_order_is_late(databases, found)
    return found


def _acknowledged_exists(databases: Databases, promises: Promises, found: Findings) -> None:
    owned = {
        "user": ("accounts", "SELECT id::text FROM users", promises.users),
        "service": ("catalog", "SELECT id::text FROM services", promises.services),
        "order": ("orders", "SELECT id::text FROM orders", set(promises.orders)),
        "payment": ("payments", "SELECT id::text FROM payments", promises.payments),
        "capture": ("payments", "SELECT id::text FROM payments WHERE captured_at IS NOT NULL", promises.captured),
        "refund": ("payments", "SELECT id::text FROM refunds", promises.refunds),
        "dispute": ("orders", "SELECT id::text FROM disputes", promises.disputes),
        "decision": ("orders", "SELECT id::text FROM disputes WHERE status = 'resolved'", promises.resolved),
    }
    for what, (service, query, promised) in owned.items():
        found.lost.extend(f"{what} {id_}" for id_ in sorted(promised - set(databases.column(service, query))))
    moves = set(databases.rows("orders", "SELECT order_id::text, to_status FROM order_history"))
    found.lost.extend(f"order {id_} was moved to {to}" for id_, to in sorted(promises.moves - moves))


def _orders_are_single(databases: Databases, promises: Promises, found: Findings) -> None:
    """One key, one order; and each order says how it came to where it is."""
    names = Counter(databases.column("orders", "SELECT description FROM orders"))
    found.doubled.extend(f"{count} orders of {name}" for name, count in names.items() if count > 1)
    twice = """SELECT order_id, from_status, to_status FROM order_history WHERE to_status <> 'pending'
               GROUP BY 1, 2, 3 HAVING count(*) > 1"""
    found.doubled.extend(f"the move of order {row[0]} {row[1:]}" for row in databases.rows("orders", twice))


def _events(databases: Databases) -> list[Envelope]:
    """All that was ever told: outboxes keep it for three days."""
    return [
        Envelope.model_validate_json(text)
        for service in SERVICES
        for text in databases.column(service, "SELECT envelope FROM outbox ORDER BY seq")
    ]


def _events_arrived(databases: Databases, events: Iterable[Envelope], found: Findings) -> None:
    listeners = {event.event_name: services for event, services in LISTENERS.items()}
    arrived: dict[str, set[tuple[str, str]]] = {}
    for service in SERVICES:
        rows = databases.rows(service, "SELECT event_id::text, subscription, state FROM inbox")
        arrived[service] = {(event_id, name) for event_id, name, _ in rows}
        found.dead += sum(state == "dead" for _, _, state in rows)
    for event in events:
        for service in listeners[event.name]:
            if (str(event.id), event.name) not in arrived[service]:
                found.lost.append(f"{event.name} {event.id} never came to {service}")


def _notices(events: Iterable[Envelope]) -> Iterator[tuple[str, str, str]]:
    """(user, type, order) of everything that somebody has to be told."""
    by_name = {(event.event_name, event.event_version): event for event in NOTICES}
    for envelope in events:
        if event := by_name.get((envelope.name, envelope.version)):
            notice = NOTICES[event](event.model_validate(envelope.data))
            for user_id in notice.to:
                yield str(user_id), str(notice.type), str(notice.data["order_id"])


def _everyone_is_told_once(databases: Databases, events: Iterable[Envelope], found: Findings) -> None:
    wanted = Counter(_notices(events))
    told = Counter(databases.rows("notifications", "SELECT user_id::text, type, data->>'order_id' FROM notifications"))
    found.lost.extend(f"notification {notice}" for notice in (wanted - told).elements())
    found.doubled.extend(f"notification {notice}" for notice in (told - wanted).elements())
    gaps = """SELECT user_id, count(*), min(seq), max(seq), count(DISTINCT seq) FROM notifications
              GROUP BY 1 HAVING min(seq) <> 1 OR max(seq) <> count(*) OR count(DISTINCT seq) <> count(*)"""
    found.mismatches.extend(f"numbers of notifications {row}" for row in databases.rows("notifications", gaps))


def _copies_agree(databases: Databases, found: Findings) -> None:
    """A copy is what its owner has."""
    copies = (
        ("orders", "SELECT id, status, total, version FROM orders", "payments"),
        ("payments", "SELECT id, amount, refunded, version FROM payments WHERE captured_at IS NOT NULL", "orders"),
    )
    for table, query, holder in copies:
        own = set(databases.rows(table, query))
        copied = set(databases.rows(holder, query.split(" WHERE ")[0]))
        found.mismatches.extend(f"of {table} {holder} has {row[0]} otherwise" for row in own ^ copied)
    offers = "SELECT id, status, price, version FROM {}"
    own, copied = (
        set(databases.rows(*where))
        for where in (
            ("catalog", offers.format("services")),
            ("orders", offers.format("offers")),
        )
    )
    found.mismatches.extend(f"of services orders has {row[0]} otherwise" for row in own ^ copied)


def _money_agrees(databases: Databases, found: Findings) -> None:
    for told, query in QUERIES.items():
        found.mismatches.extend(told.format(*row) for row in databases.rows("payments", VIEWS + query))
    # One that was wholly refunded made room for another.
    kept = """SELECT order_id, count(*) FROM payments
              WHERE captured_at IS NOT NULL AND NOT duplicate AND status <> 'refunded'
              GROUP BY 1 HAVING count(*) > 1"""
    found.doubled.extend(f"order {id_} is paid {count} times" for id_, count in databases.rows("payments", kept))
    query = "SELECT order_id, sum(amount), sum(refunded) FROM payments WHERE captured_at IS NOT NULL GROUP BY 1"
    sums = {order_id: (paid, back) for order_id, paid, back in databases.rows("payments", query)}
    promised = set(databases.column("payments", "SELECT payment_id FROM refunds WHERE status <> 'failed'"))
    payments: dict[Any, set[Any]] = defaultdict(set)
    for order_id, payment_id in databases.rows(
        "payments", "SELECT order_id, id FROM payments WHERE captured_at IS NOT NULL"
    ):
        payments[order_id].add(payment_id)
    for id_, total, status, said in databases.rows("orders", "SELECT id, total, status, payment_status FROM orders"):
        wanted = payment_status(total, *sums.get(id_, (Decimal(0), Decimal(0))))
        if said != wanted:
            found.mismatches.append(f"order {id_} is {said}, but its payments make it {wanted}")
        if status == "cancelled" and not payments[id_] <= promised:
            found.mismatches.append(f"order {id_} is cancelled and paid, and nothing goes back")


def _journal_agrees(databases: Databases, books: PaymeBooks, found: Findings) -> None:
    """What Payme took and sent back is what we say that it did, one to one."""
    query = """SELECT coalesce(transaction_id, ''), method, id::text, amount, refunded FROM payments
               WHERE captured_at IS NOT NULL"""
    ours = databases.rows("payments", query)
    cards = {key: (amount, back) for key, method, _, amount, back in ours if method == "card"}
    for receipt in books.receipts.values():
        if receipt.debits > 1:
            found.doubled.append(f"receipt {receipt.id} is debited {receipt.debits} times")
        sent_back = receipt.state in (TO_BE_CANCELLED, CANCELLED)
        if receipt.debits and not sent_back and receipt.id not in cards:
            found.doubled.append(f"Payme has taken {receipt.amount} by receipt {receipt.id}, which no payment knows")
    for id_, (amount, back) in cards.items():
        receipt = books.receipts.get(id_)
        if receipt is None or not receipt.debits or receipt.amount != amount * 100:
            found.mismatches.append(f"receipt {id_} over {amount} is not in Payme's journal")
        elif (receipt.state == PAID) != (back == 0):
            found.mismatches.append(f"of receipt {id_} {back} went back, but it is in state {receipt.state}")
    states = dict(databases.rows("payments", "SELECT id, state FROM payme_transactions"))
    for transaction in books.transactions.values():
        if states.get(transaction.id) != transaction.state:
            said = states.get(transaction.id)
            found.mismatches.append(f"transaction {transaction.id} is {transaction.state} at Payme, here {said}")


def _no_order_is_late(databases: Databases, found: Findings) -> None:
    late = f"SELECT id FROM orders WHERE status = 'pending' AND accept_by < now() - interval '{LATE} s'"
    found.mismatches.extend(f"order {id_} is past its deadline" for id_ in databases.column("orders", late))
