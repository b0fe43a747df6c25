"""What grows in orders: ten million of them, the lists that client, worker and admin have of them, and one's history.

Each order's history begins with its creation; every `WHOLE`th has the moves behind that too. One order is read by an
index of histories, which is as deep either way, and three times as many rows would say no more.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import psycopg

from bench.filling import BLOCK, Report, bare, copied, in_blocks, quiet, tidied
from bench.measuring import DEPTH, Asked, Get, Goal, Requests, as_user
from services.orders.domain import PaymentStatus, Status
from shared.http.pagination import Cursor

DAYS = 730
LARGE = 20_000
"""Orders of a company that orders, or works, all day; or a twentieth of a smaller number of all."""
COMPANIES = 4
ORDERS_A_CLIENT, ORDERS_A_WORKER = 20, 200
INACTIVE = 500
"""One of so many people is banned or erased."""
WHOLE = 10
UNDER_WAY_DAYS, WAITING_DAYS = 6, 1
"""Of the newest orders, how many days are still worked at, and not even accepted."""
TITLES = ["Жўмрак таъмири", "Ремонт смесителей", "Leaking taps repaired", "Uy tozalash", "Переезд с грузчиками"]
STREETS = ["Amir Temur shoh koʻchasi", "улица Навои", "Bobur koʻchasi", "Mustaqillik maydoni", "улица Шота Руставели"]

COLUMNS = [
    *("id", "number", "service_id", "service_title", "client_id", "owner_id", "worker_id", "status", "payment_status"),
    *("price", "quantity", "total", "currency", "description", "address", "accept_by", "version"),
    *("created_at", "updated_at"),
]
HISTORY = ["order_id", "from_status", "to_status", "actor_id", "actor_role", "at"]
TABLES = {"orders": COLUMNS, "order_history": HISTORY, "people": ["id", "role", "is_active", "is_confirmed", "version"]}


class People(NamedTuple):
    """Companies are the first of their kind."""

    clients: list[UUID]
    workers: list[UUID]
    admin: UUID


def people(rows: int) -> People:
    """Of a fill with so many orders; the same each time."""
    rng = random.Random(rows)

    def drawn(count: int) -> list[UUID]:
        return [UUID(int=rng.getrandbits(128), version=4) for _ in range(COMPANIES + max(count, 1))]

    return People(drawn(rows // ORDERS_A_CLIENT), drawn(rows // ORDERS_A_WORKER), drawn(1)[0])


def orders(rows: int, now: datetime, seed: int) -> Iterator[tuple[str, str]]:
    """A line of COLUMNS each, oldest first, and the lines of HISTORY that belong to it."""
    rng = random.Random(seed)
    everyone = people(rows)
    clients, workers = ([id_.hex for id_ in some] for some in (everyone.clients, everyone.workers))
    of_companies = COMPANIES * min(LARGE, rows // 20) / rows
    second, step = now.timestamp() - DAYS * 86_400, DAYS * 86_400 / rows

    def one_of(some: list[str]) -> str:
        share = rng.random()
        if share < of_companies:
            return some[int(share / of_companies * COMPANIES)]
        return some[COMPANIES + int(rng.random() * (len(some) - COMPANIES))]

    for number in range(rows):
        second += step
        created_at = datetime.fromtimestamp(second, UTC).isoformat()
        id_ = f"{int(second * 1000) << 80 | 7 << 76 | 2 << 62 | rng.getrandbits(62):032x}"
        client, owner, luck = one_of(clients), one_of(workers), rng.random()
        past = _moves(luck, (now.timestamp() - second) / 86_400)
        status = past[-1]
        worker = owner if Status.ASSIGNED in past else None
        paid = _payment_status(status, rng.random())
        price, quantity = 500 * int(40 + rng.random() * 4000), 1 + int(rng.random() ** 4 * 3)
        moved_at = created_at if len(past) == 1 else datetime.fromtimestamp(second + 3600, UTC).isoformat()
        accept_by = (now + timedelta(days=2)).isoformat() if status == Status.PENDING else None
        address = f"{STREETS[int(luck * 5)]} {1 + int(luck * 200)}"
        line = copied(
            (
                *(id_, f"{2024 + number * 2 // rows}-{number:08d}", owner, TITLES[int(luck * 5)]),
                *(client, owner, worker, status.value, paid.value, price, quantity, price * quantity, "UZS"),
                *("Иккинчи қават, эшик қўнғироғи ишламайди", address, accept_by, len(past), created_at, moved_at),
            )
        )
        history = copied((id_, None, "pending", client, "client", created_at))
        if number % WHOLE == 0:
            for before, after in pairwise(past):
                history += copied((id_, before.value, after.value, owner, "worker", moved_at))
        yield line, history


DONE = (Status.PENDING, Status.ASSIGNED, Status.IN_PROGRESS, Status.COMPLETED)


def _moves(luck: float, days_old: float) -> tuple[Status, ...]:
    """The statuses that an order so old has had, the last its own."""
    if days_old < WAITING_DAYS * luck:
        return DONE[:1]
    if luck < 0.15:
        return Status.PENDING, Status.CANCELLED
    if days_old < UNDER_WAY_DAYS * luck:
        return DONE[:2] if luck < 0.5 else DONE[:3]
    return DONE


def _payment_status(status: Status, luck: float) -> PaymentStatus:
    if status in (Status.PENDING, Status.ASSIGNED):
        return PaymentStatus.PAID if luck < 0.2 else PaymentStatus.UNPAID
    if status == Status.CANCELLED:
        return PaymentStatus.REFUNDED if luck < 0.2 else PaymentStatus.UNPAID
    return PaymentStatus.PARTIALLY_REFUNDED if luck < 0.001 else PaymentStatus.PAID


def persons(rows: int) -> Iterator[str]:
    """A line for each of the people."""
    found = people(rows)
    each = [*((id_, "client") for id_ in found.clients), *((id_, "worker") for id_ in found.workers)]
    for number, (id_, role) in enumerate([*each, (found.admin, "admin")], 1):
        yield copied((id_, role, number % INACTIVE != 0, True, 1))


def fill(url: str, rows: int, report: Report = quiet, seed: int = 1) -> None:
    """Put that many orders into an empty database of orders, with histories and people."""
    lines = orders(rows, datetime.now(UTC), seed)
    into = {name: f"COPY {name} ({', '.join(columns)}) FROM STDIN" for name, columns in TABLES.items()}
    with (
        psycopg.connect(url) as first,
        psycopg.connect(url) as second,
        bare(first, ["orders", "order_history"], report),
    ):
        with first.cursor().copy(into["people"]) as copy:
            for block, _ in in_blocks(persons(rows)):
                copy.write(block)
        done = 0
        # Two backends, so that the one takes orders while the other takes histories.
        with first.cursor().copy(into["orders"]) as copy, second.cursor().copy(into["order_history"]) as histories:
            while pairs := list(islice(lines, BLOCK)):
                copy.write("".join(line for line, _ in pairs))
                histories.write("".join(history for _, history in pairs))
                done += len(pairs)
                report("orders", done, rows)
        second.commit()
        first.commit()
    tidied(url, report)


Drawn = Callable[[], dict[str, str]]
MINE = {"client": "client_id", "worker": "coalesce(worker_id, owner_id)"}


def cursor_at_depth(connection: psycopg.Connection[Any], where: str = "true", *values: Any) -> str:
    """Of the page that begins `DEPTH` orders into the list of these, or halfway through a shorter one."""
    (rows,) = connection.execute(f"SELECT count(*) FROM orders WHERE {where}", values).fetchone() or (0,)
    at = connection.execute(
        f"SELECT created_at, id FROM orders WHERE {where} ORDER BY created_at DESC, id DESC OFFSET %s LIMIT 1",
        [*values, min(DEPTH, rows // 2)],
    ).fetchone()
    assert at
    return Cursor([at[0].isoformat(), str(at[1])]).encode()


def requests(url: str, seed: int = 2) -> Requests:
    rng = random.Random(seed)
    with psycopg.connect(url) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM orders").fetchone() or (0,)
        everyone = people(rows)
        companies = {"client": everyone.clients[0], "worker": everyone.workers[0]}
        deep = {role: cursor_at_depth(connection, f"{MINE[role]} = %s", id_) for role, id_ in companies.items()}
        deep["admin"] = cursor_at_depth(connection)
        whole = (
            "SELECT id, client_id FROM orders TABLESAMPLE SYSTEM (%s) WHERE number LIKE '%%0' AND status = 'completed'"
        )
        shown = connection.execute(f"{whole} LIMIT 1000", [min(100, 10_000_000 / rows)]).fetchall()
    admin = as_user("admin", everyone.admin)
    mine = {role: as_user(role, id_) for role, id_ in companies.items()}

    def client() -> dict[str, str]:
        return as_user("client", rng.choice(everyone.clients[COMPANIES:]))

    def worker() -> dict[str, str]:
        return as_user("worker", rng.choice(everyone.workers[COMPANIES:]))

    def month() -> dict[str, str]:
        begin = datetime.now(UTC) - timedelta(days=rng.randrange(30, DAYS))
        return {"from": begin.isoformat(), "to": (begin + timedelta(days=30)).isoformat()}

    def status() -> dict[str, str]:
        return {"status": rng.choice(list(Status))}

    def paid() -> dict[str, str]:
        return {"payment_status": rng.choice(list(PaymentStatus))}

    def asked(who: Drawn, *queries: Drawn) -> Asked:
        def draw() -> Get:
            query = {name: value for drawn in queries for name, value in drawn().items()}
            return Get(f"/api/orders/?{urlencode(query)}", who())

        return Asked(draw, Goal.GROWTH)

    def whole_order() -> Get:
        id_, of = rng.choice(shown)
        return Get(f"/api/orders/{id_}/", as_user("client", of))

    filters: dict[str, list[Drawn]] = {
        "first page": [],
        "by status": [status],
        "by payment status": [paid],
        "by status and payment status": [status, paid],
        "of a month": [month],
        "of a month by status": [month, status],
        "oldest first": [partial(dict, ordering="created_at")],
    }
    callers: dict[str, Drawn] = {
        "client": client,
        "worker": worker,
        **{f"company, as {role}": partial(dict, headers) for role, headers in mine.items()},
        "admin": partial(dict, admin),
    }
    return {
        **{
            f"{who}: {what}": asked(caller, *query)
            for who, caller in callers.items()
            for what, query in filters.items()
        },
        **{
            f"{who}: at {DEPTH:,}": asked(callers[who], partial(dict, cursor=deep[role]))
            for who, role in {"company, as client": "client", "company, as worker": "worker", "admin": "admin"}.items()
        },
        "admin: needs attention": asked(partial(dict, admin), partial(dict, attention="true")),
        "one with its history": Asked(whole_order, Goal.GROWTH),
    }
