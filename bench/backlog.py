"""How a backlog of events drains: as quickly at its end as at its beginning, and what it leaves behind in the tables.

    python -m bench.backlog [--events 1000 10000 100000 1000000] [--together] [--save]

Orders' outbox is filled while nothing runs. Then the relay drains it into RabbitMQ, where the queues of notifications
and of payments fill up; then the one drains its queue, and then the other: each leg has the machine to itself, so that
its last tenth can be held against its first. With `--together` all three are started at once, as after an outage of
everything. `--save` keeps table and plot in docs/performance/. Exits with 1 where a goal is missed.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import psycopg

from bench.events import order_created
from bench.filling import Bar, copied, in_blocks, restarted_with, tidied
from bench.measuring import trust
from bench.saving import DOCS, curves, keep
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging.inbox import BATCH
from tests.support.process import NoServer
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack

GOAL = 0.8
"""Times the rate of the first tenth, in the last."""
LEAST = 10 * BATCH
JUDGED_FROM = 10_000
"""Events: in a tenth of fewer there are too few batches to say how quick it was."""
MB = 1_000_000
CLIENTS, WORKERS = 20_000, 1_000
"""Those that the events are of, by turns."""
LOOK_EVERY = 1.0
PATIENCE = 60.0
"""Seconds without anything done, after which a leg hangs."""


class Leg(NamedTuple):
    """What one process drains, into rows of a table of its own."""

    name: str
    process: str
    table: str
    counter: str
    """The statistic that says how many of the rows are done: asking for it costs nothing."""
    done: str
    """Which of the rows are."""
    begun: str
    """The column with the time at which a row's transaction began."""


LEGS = (
    Leg("outbox → RabbitMQ", "orders", "outbox", "n_tup_upd", "published_at IS NOT NULL", "published_at"),
    Leg("RabbitMQ → notifications", "notifications", "inbox", "n_tup_ins", "state = 'done'", "received_at"),
    Leg("RabbitMQ → payments", "payments", "inbox", "n_tup_ins", "state = 'done'", "received_at"),
)
TABLES = {
    "orders": ["outbox"],
    "notifications": ["inbox", "notifications", "mailboxes"],
    "payments": ["inbox", "orders"],
}
"""What the events are written into, by service."""


class Size(NamedTuple):
    """Of a table, in bytes."""

    heap: int
    indexes: int
    dead: int
    """Rows that are no longer there, as far as PostgreSQL knows."""
    vacuumed: int
    """How often, by itself."""


class Drained(NamedTuple):
    """Events a second."""

    rate: float
    tenths: Sequence[float]

    @property
    def kept(self) -> float:
        return self.tenths[-1] / self.tenths[0]


def fill(url: str, events: int) -> None:
    """Put so many events into the outbox, each of another order."""
    clients, workers = [new_id() for _ in range(CLIENTS)], [new_id() for _ in range(WORKERS)]

    def lines() -> Iterator[str]:
        for number in range(events):
            envelope = order_created(clients[number % CLIENTS], workers[number % WORKERS], number)
            yield copied((envelope.id, envelope.name, envelope.model_dump_json(), utcnow()))

    bar, done = Bar(), 0
    into = "COPY outbox (event_id, name, envelope, created_at) FROM STDIN"
    with psycopg.connect(url) as connection, connection.cursor().copy(into) as copy:
        for block, count in in_blocks(lines()):
            copy.write(block)
            bar.report("outbox", "events", done := done + count, events)
    tidied(url, partial(bar.report, "outbox"))
    bar.close()


def drained(url: str, leg: Leg, events: int) -> Drained:
    """By the rows themselves, which say when they were committed: so nothing has to look on meanwhile."""
    committed = "pg_xact_commit_timestamp(xmin)"
    shares = ", ".join(str(tenth / 10) for tenth in range(1, 11))
    query = f"""
        SELECT min({leg.begun}), percentile_disc(ARRAY[{shares}]) WITHIN GROUP (ORDER BY {committed})
        FROM {leg.table} WHERE {leg.done}
    """
    with psycopg.connect(url) as connection:
        began, ends = connection.execute(query).fetchone() or (None, [])
    times = [moment.timestamp() for moment in (began, *ends)]
    return Drained(events / (times[-1] - times[0]), [events / 10 / (b - a) for a, b in pairwise(times)])


def wait(stack: Stack, leg: Leg, events: int) -> None:
    """Return when the leg has done all of them. Exits where it hangs."""
    done, changed = 0, time.monotonic()
    with psycopg.connect(stack.databases[leg.process], autocommit=True) as connection:

        def ask(query: str) -> int:
            (count,) = connection.execute(query).fetchone() or (0,)
            return int(count)

        while done < events:
            time.sleep(LOOK_EVERY)
            before, done = done, ask(f"SELECT {leg.counter} FROM pg_stat_user_tables WHERE relname = '{leg.table}'")
            if done >= events:  # it counts what was rolled back too
                done = ask(f"SELECT count(*) FROM {leg.table} WHERE {leg.done}")
            if done != before:
                changed = time.monotonic()
                if 10 * done // events > 10 * before // events:
                    print(f"bench: {leg.name}: {done:,} of {events:,}", file=sys.stderr, flush=True)
            elif time.monotonic() - changed > PATIENCE:
                sys.exit(f"bench: {leg.name} hangs at {done:,} of {events:,}:\n{stack.log(leg.process)[-2000:]}")


def sizes(databases: Mapping[str, str]) -> dict[tuple[str, str], Size]:
    """By service and table."""
    query = """
        SELECT relname, pg_table_size(relid), pg_indexes_size(relid), n_dead_tup, autovacuum_count
        FROM pg_stat_user_tables WHERE relname = ANY(%s)
    """
    found = {}
    for service, tables in TABLES.items():
        with psycopg.connect(databases[service]) as connection:
            for table, *size in connection.execute(query, [tables]):
                found[service, table] = Size(*size)
    return found


@contextmanager
def system() -> Iterator[Stack]:
    """Its databases and its broker; nothing runs yet."""
    with (
        postgres_server(own_process=True) as postgres,
        rabbitmq_server(own_process=True) as rabbitmq,
        ExitStack() as stack,
    ):
        restarted_with(postgres, track_commit_timestamp="on")
        # Nobody is there to be asked for addresses, and no mails are measured.
        settings = {"LOG_LEVEL": "WARNING", "EMAIL_DELAY": "1d"}
        yield stack.enter_context(Stack(postgres.admin_url, rabbitmq.url, **settings))


class Run(NamedTuple):
    events: int
    legs: dict[str, Drained]
    before: Mapping[tuple[str, str], Size]
    after: Mapping[tuple[str, str], Size]

    @property
    def missed(self) -> list[str]:
        if self.events < JUDGED_FROM:
            return []
        return [f"{name} of {self.events:,}" for name, found in self.legs.items() if found.kept < GOAL]


def run(events: int, *, together: bool) -> Run:
    with system() as stack:
        for leg in LEGS:
            trust(stack.databases[leg.process])
        fill(stack.databases["orders"], events)
        before = sizes(stack.databases)
        if together:
            stack.start(*(leg.process for leg in LEGS))
        for leg in LEGS:
            if not together:
                stack.start(leg.process)
            wait(stack, leg, events)
        legs = {leg.name: drained(stack.databases[leg.process], leg, events) for leg in LEGS}
        time.sleep(LOOK_EVERY)  # for the last statistics
        return Run(events, legs, before, sizes(stack.databases))


def rates(runs: Sequence[Run]) -> str:
    lines = [
        "| events | | events/s | seconds | first tenth, /s | last tenth, /s | last / first | |",
        "|--:|---|--:|--:|--:|--:|--:|---|",
    ]
    for run in runs:
        for name, found in run.legs.items():
            judged = "" if run.events < JUDGED_FROM else "**missed**" if found.kept < GOAL else f"at least {GOAL:g}"
            lines.append(
                f"| {run.events:,} | {name} | {found.rate:,.0f} | {run.events / found.rate:,.1f} "
                f"| {found.tenths[0]:,.0f} | {found.tenths[-1]:,.0f} | {found.kept:.2f} | {judged} |"
            )
    return "\n".join(lines)


def left(runs: Sequence[Run]) -> str:
    """What it has left behind."""
    lines = [
        "| events | table | before, MB | after, MB | heap, B/event | indexes, B/event | dead rows | autovacuums |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for run in runs:
        for (service, table), now in run.after.items():
            then = run.before[service, table]
            whole = f"{(then.heap + then.indexes) / MB:,.1f} | {(now.heap + now.indexes) / MB:,.1f}"
            each = f"{now.heap / run.events:,.0f} | {now.indexes / run.events:,.0f}"
            lines.append(f"| {run.events:,} | {service}.{table} | {whole} | {each} | {now.dead:,} | {now.vacuumed} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--together", action="store_true", help="start all at once")
    parser.add_argument("--save", action="store_true", help="keep table and plot")
    args = parser.parse_args()
    if min(args.events) < LEAST:
        parser.error(f"a tenth of fewer than {LEAST:,} events can be less than a batch")
    try:
        runs = [run(events, together=args.together) for events in args.events]
    except NoServer as error:
        sys.exit(f"bench: {error}")
    how = "all started at once" if args.together else "each leg by itself"
    text = f"Events that waited, drained: {how}.\n\n{rates(runs)}\n\n{left(runs)}"
    print(text)
    if args.save:
        lines = {
            f"{name}, {run.events:,}": [*enumerate(found.tenths, 1)] for run in runs for name, found in run.legs.items()
        }
        curves(DOCS / (plot := "backlog.svg"), lines, "tenth of the backlog", "events a second")
        keep("backlog", "Backlog", text, plot)
    if missed := [name for run in runs for name in run.missed]:
        sys.exit(f"bench: {len(missed)} goals are missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
