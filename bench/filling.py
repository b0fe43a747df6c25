"""Large tables filled by COPY: their indexes made at the end, and a bar on stderr that says how far it is."""

import multiprocessing
import queue
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import psycopg

from tests.support.postgres import OwnPostgres

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it, and of how much."""
Fill = Callable[[Report], None]

BLOCK = 5_000
"""Lines sent at once."""
REDRAW = 0.5
"""Seconds."""
_INDEXES = """
    SELECT format('DROP INDEX %%I', indexname), indexdef FROM pg_indexes
    WHERE tablename = ANY(%(tables)s) AND indexname NOT LIKE 'pk_%%' AND indexname NOT LIKE 'uq_%%'
"""
_REFERENCES = """
    SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', conrelid::regclass, conname),
        format('ALTER TABLE %%I ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE contype = 'f' AND ARRAY[conrelid::regclass::text, confrelid::regclass::text] && %(tables)s
"""


def quiet(what: str, done: int, of: int) -> None:
    """The report of a fill that nobody watches."""


@contextmanager
def bare(connection: psycopg.Connection[Any], tables: list[str], report: Report) -> Iterator[None]:
    """The tables without references and indexes but for keys, for as long as rows are put in."""
    found = [connection.execute(query, {"tables": tables}).fetchall() for query in (_REFERENCES, _INDEXES)]
    parts = [part for of_a_kind in found for part in of_a_kind]
    for drop, _ in parts:
        connection.execute(drop)
    connection.commit()
    yield
    connection.execute("SET maintenance_work_mem = '1GB'")
    for number, (_, make) in enumerate(reversed(parts)):
        report("indexes", number, len(parts))
        connection.execute(make)
    connection.commit()
    report("indexes", len(parts), len(parts))


def copied(values: Iterable[object]) -> str:
    """A line of COPY's text format. Of plain values: none has a tab, a backslash or the end of a line in it."""
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


def in_blocks(lines: Iterator[str]) -> Iterator[tuple[str, int]]:
    """The lines in blocks to send, each with how many it has."""
    while block := list(islice(lines, BLOCK)):
        yield "".join(block), len(block)


def tidied(url: str, report: Report) -> None:
    """What autovacuum would have done by the time that a table is so large."""
    report("vacuum", 0, 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    report("vacuum", 1, 1)


def restarted_with(server: OwnPostgres, **settings: str) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    server.stop()
    server.start()


@contextmanager
def in_haste(admin_url: str) -> Iterator[None]:
    """The server as it may be only while what it holds can be made anew: it does not wait for its disk."""
    hasty = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "'32GB'", "checkpoint_timeout": "'1h'"}
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for name, value in (hasty | {"autovacuum": "off"}).items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        connection.execute("SELECT pg_reload_conf()")
    yield
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CHECKPOINT")


class Bar:
    """One line on a terminal that is written anew; elsewhere, a line for each step that is done."""

    def __init__(self) -> None:
        self._steps: dict[str, str] = {}
        self._began: dict[str, tuple[str, float]] = {}
        self._drawn = 0.0
        self._terminal = sys.stderr.isatty()

    def report(self, name: str, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if self._began.get(name, ("", 0.0))[0] != what:
            self._began[name] = what, now
        took = now - self._began[name][1]
        if self._terminal:
            self._steps[name] = f"{name}: {_progress(what, done, of, took)}"
            if now - self._drawn > REDRAW or done == of:
                self._drawn = now
                line = " | ".join(self._steps.values())[: shutil.get_terminal_size().columns - 1]
                print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif done == of:
            print(f"bench: {name}: {what}, {of:,}, {took:.0f} s", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._terminal:
            print(file=sys.stderr, flush=True)


def _progress(what: str, done: int, of: int, took: float) -> str:
    share = f"{what} {done:,} of {of:,}, {done / max(of, 1):.0%}"
    if not done or not took or of < BLOCK:
        return share
    return f"{share}, {done / took:,.0f}/s, {took / done * (of - done):.0f} s left"


def fill_side_by_side(fills: Mapping[str, Fill]) -> float:
    """Run each in a process of its own, with one bar for all; returns the seconds. Exits where one has failed."""
    began, bar = time.monotonic(), Bar()
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    processes = [context.Process(target=_fill, args=(name, fill, said), daemon=True) for name, fill in fills.items()]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes) or not said.empty():
        try:
            bar.report(*said.get(timeout=REDRAW))
        except queue.Empty:
            continue
    bar.close()
    if any(process.exitcode for process in processes):
        sys.exit("bench: a fill has failed")
    return time.monotonic() - began


def _fill(name: str, fill: Fill, said: Any) -> None:
    fill(lambda what, done, of: said.put((name, what, done, of)))
