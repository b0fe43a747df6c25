"""Migrations that are newer than the last release run while that release serves: docs/migrations.md."""

import itertools
import json
import re
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.engine import Engine

from marketplace.databases import UNICODE, UNICODE_BEFORE_17
from marketplace.demo import play
from marketplace.registry import SERVICES, service_metadata
from marketplace.system import System
from shared.db import migrations
from shared.db.migrations import TablesBusy, config_of, pending_changes, upgrade_by
from tests.support.postgres import PostgresServer

RELEASED = tomllib.loads(Path(__file__).with_name("released.toml").read_text())
REVISIONS: Mapping[str, str] = RELEASED["revisions"]

NOT_OURS = (
    "require-lock-timeout",  # `shared.db.migrations` sets it
    "require-statement-timeout",
    "prefer-robust-stmts",  # each is in a transaction, but for indexes made concurrently, which see to it themselves
    "prefer-text-field",
    "prefer-bigint-over-int",
    "prefer-identity",
    "prefer-timestamp-tz",
    "ban-concurrent-index-creation-in-transaction",  # PostgreSQL refuses it
)
APPEND_ONLY = ("ledger_entries", "ledger_transactions")
CONTRACTING = ("ban-drop-column", "ban-drop-table", "ban-drop-not-null")
"""What a migration may do that says since which release nobody uses what it removes: `unused_since = "0.1.0"`."""


def objections(config: Config, newer_than: str) -> list[str]:
    """Upgrade to the head, one revision at a time; what squawk says against each, as `0010: rule: why`."""
    scripts = ScriptDirectory.from_config(config)
    newer = [script for script in scripts.walk_revisions(newer_than, "heads") if script.revision != newer_than]
    found = []
    for script in reversed(newer):
        with _executed() as statements:
            upgrade_by(config, script.revision)
        unused_since = getattr(script.module, "unused_since", None)
        allowed = CONTRACTING if unused_since and _version(unused_since) <= _version(RELEASED["version"]) else ()
        found += [f"{script.revision}: {said}" for said in _squawk(statements, (*NOT_OURS, *allowed))]
    return found


@contextmanager
def _executed() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "alembic_version" not in statement and not statement.startswith("SELECT"):
            statements.append(re.sub(r"%\(\w+\)s(::\w+)?", "NULL", statement))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _squawk(statements: Sequence[str], excluded: Sequence[str]) -> list[str]:
    linter = Path(sys.executable).with_name("squawk")
    command = (
        linter,
        "--reporter=json",
        "--pg-version=15.0",
        "--assume-in-transaction",
        f"--exclude={','.join(excluded)}",
    )
    linted = subprocess.run(command, input=";\n".join([*statements, ""]), capture_output=True, text=True)
    assert linted.returncode in (0, 1), linted.stderr
    return [f"{found['rule_name']}: {found['message']}" for found in json.loads(linted.stdout or "[]")]


def _version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@dataclass
class Writer:
    """The release that serves meanwhile: it knows the columns that were there, and waits as long as services do."""

    url: str
    columns: Mapping[str, Sequence[str]]
    writes: int = 0
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._write_until, args=(stop,))
        thread.start()
        try:
            self._written(len(self.columns))
            yield
            self._written(len(self.columns))
        finally:
            stop.set()
            thread.join()

    def _written(self, more: int) -> None:
        until = self.writes + more
        while self.writes < until and not self.errors:
            time.sleep(0.005)

    def _write_until(self, stop: threading.Event) -> None:
        limits = "-c lock_timeout=2000 -c statement_timeout=5000"
        with psycopg.connect(self.url, autocommit=True, options=limits) as connection:
            for table in itertools.cycle(self.columns):
                if stop.is_set() or self.errors:
                    return
                try:
                    self._write(connection, table)
                    self.writes += 1
                except psycopg.Error as error:
                    self.errors.append(f"{table}: {error}")

    def _write(self, connection: "psycopg.Connection[Any]", table: str) -> None:
        """Read and write every column of every row, and add one where an id is all that must be new."""
        names = [sql.Identifier(name) for name in self.columns[table]]
        if table in APPEND_ONLY:
            connection.execute(sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), sql.Identifier(table)))
        else:
            same = sql.SQL(", ").join(sql.SQL("{0} = {0}").format(name) for name in names)
            connection.execute(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), same))
        if table == "outbox":
            connection.execute(
                "INSERT INTO outbox (event_id, name, envelope, created_at)"
                " VALUES (gen_random_uuid(), 'order.created', '{}', now())"
            )


def _columns(connection: "psycopg.Connection[Any]") -> dict[str, list[str]]:
    """Those that a program writes, by table."""
    rows = connection.execute(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t"
        " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND is_generated = 'NEVER' AND identity_generation IS NULL AND table_name <> 'alembic_version'"
    ).fetchall()
    return {table: [name for of, name in rows if of == table] for table in sorted({table for table, _ in rows})}


@pytest.fixture(scope="module")
def templates(postgres: PostgresServer, databases: dict[str, str], filled: None) -> Iterator[Callable[[str], str]]:
    """The name of a database of a service as the last release left it, filled with what the service really has."""
    made: dict[str, str] = {}
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:

        def template(service: str) -> str:
            if service not in made:
                name = f"released_{service}"
                texts = UNICODE if admin.info.server_version >= 170000 else UNICODE_BEFORE_17
                admin.execute(f"CREATE DATABASE {name} OWNER {service} {texts}".encode())
                made[service] = name
                upgrade_by(config_of(service, _at(databases[service], name)), REVISIONS[service])
                as_admin = [_at(postgres.admin_url, database) for database in (service, name)]
                with psycopg.connect(as_admin[0]) as full, psycopg.connect(as_admin[1]) as empty:
                    _fill(full, empty, _columns(empty))
            return made[service]

        yield template
        for name in made.values():
            admin.execute(f"DROP DATABASE {name}".encode())


@pytest.fixture
def released(
    request: pytest.FixtureRequest,
    postgres: PostgresServer,
    databases: dict[str, str],
    templates: Callable[[str], str],
) -> Iterator[Writer]:
    """The last release of the service, at a database of its own."""
    service: str = request.param
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE serving OWNER {service} TEMPLATE {templates(service)}".encode())
        try:
            url = _at(databases[service], "serving")
            with psycopg.connect(url) as connection:
                columns = _columns(connection)
            yield Writer(url, columns)
        finally:
            admin.execute(b"DROP DATABASE serving WITH (FORCE)")


def _at(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _fill(
    full: "psycopg.Connection[Any]", empty: "psycopg.Connection[Any]", columns: Mapping[str, Sequence[str]]
) -> None:
    empty.execute("SET session_replication_role = replica")  # tables come in any order, so nothing refers to anything
    there = _columns(full)
    for table in columns:
        names = [name for name in columns[table] if name in there.get(table, ())]
        if not names:
            continue
        of = sql.SQL(", ").join(map(sql.Identifier, names))
        empty.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))  # what the first migration brings
        source = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(of, sql.Identifier(table))
        target = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), of)
        with full.cursor().copy(source) as out, empty.cursor().copy(target) as into:
            for data in out:
                into.write(data)


@pytest.fixture(scope="module")
async def filled(system: System, http: httpx.AsyncClient) -> None:
    """A journey through all services, which leaves rows in every one of them."""
    await play(system.address)


@pytest.mark.parametrize(("released", "service"), [(name, name) for name in SERVICES], indirect=["released"])
def test_the_last_release_goes_on_writing_while_its_database_is_migrated(released: Writer, service: str) -> None:
    with released.at_work():
        objected = objections(config_of(service, released.url), REVISIONS[service])

    assert objected == []
    assert released.errors == []
    pending_changes(service, released.url, service_metadata(service))


HEADER = '''"""{name}"""

import sqlalchemy as sa
from alembic import op
from shared.db.migrations import create_index_concurrently

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{more}

def upgrade() -> None:
    {body}
'''


@pytest.fixture
def migrated(released: Writer, tmp_path: Path) -> Callable[..., Config]:
    """`migrated("op.…", "op.…")` is orders' history with these after the release."""

    def config(*bodies: str, more: str = "") -> Config:
        before = REVISIONS["orders"]
        for number, body in enumerate(bodies, 1):
            revision = f"{before}_{number}"
            text = HEADER.format(name="x", revision=revision, before=before, body=body, more=more)
            (tmp_path / f"{revision}.py").write_text(text)
            before = revision
        made = config_of("orders", released.url)
        locations = made.get_main_option("version_locations")
        made.set_main_option("version_locations", f"{locations}\n{tmp_path}")
        return made

    return config


MIGRATE = """
import sys
from shared.db.migrations import config_of, upgrade_by
config = config_of("orders", sys.argv[1])
config.set_main_option("version_locations", sys.argv[2])
upgrade_by(config)
"""

of_orders = pytest.mark.parametrize("released", ["orders"], indirect=True)

EXPANDING = (
    'op.add_column("orders", sa.Column("remark", sa.String(), nullable=True))',
    'op.add_column("orders", sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False))',
    'create_index_concurrently("ix_orders_remark", "orders", ["remark"])',
    'op.execute("ALTER TABLE orders ADD CONSTRAINT remarks CHECK (length(remark) < 99) NOT VALID")',
    'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT remarks")',
    'op.create_table("remarks", sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("at", sa.Date(), index=True))',
)


@of_orders
def test_what_only_adds_is_made_while_the_last_release_writes(
    released: Writer, migrated: Callable[..., Config]
) -> None:
    with released.at_work():
        objected = objections(migrated(*EXPANDING), REVISIONS["orders"])

    assert objected == []
    assert released.errors == []
    assert released.writes > 2 * len(released.columns)


@of_orders
@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('op.drop_column("orders", "address")', "ban-drop-column"),
        ('op.drop_table("inbox")', "ban-drop-table"),
        ('op.alter_column("orders", "address", new_column_name="place")', "renaming-column"),
        ('op.rename_table("orders", "jobs")', "renaming-table"),
        (
            'op.alter_column("orders", "description", type_=sa.JSON(), postgresql_using="to_json(description)")',
            "changing-column-type",
        ),
        ('op.alter_column("orders", "number", nullable=False)', "adding-not-nullable-field"),
        ('op.create_index("ix_more", "orders", ["address"])', "require-concurrent-index-creation"),
        ('op.create_check_constraint("more", "orders", "length(address) >= 0")', "constraint-missing-not-valid"),
        ('op.create_unique_constraint("more", "orders", ["id", "address"])', "disallowed-unique-constraint"),
    ],
)
def test_what_the_last_release_would_not_survive_or_wait_for_is_found(
    migrated: Callable[..., Config], released: Writer, body: str, rule: str
) -> None:
    found = objections(migrated(body), REVISIONS["orders"])

    assert any(f": {rule}: " in objection for objection in found), found


@of_orders
def test_the_writer_notices_what_breaks_the_last_release(released: Writer, migrated: Callable[..., Config]) -> None:
    with released.at_work():
        upgrade_by(migrated('op.drop_column("orders", "address")'))

    assert any("address" in error for error in released.errors)


@of_orders
def test_what_nobody_uses_since_the_last_release_may_go(released: Writer, migrated: Callable[..., Config]) -> None:
    goes = migrated('op.drop_column("orders", "address")', more=f'unused_since = "{RELEASED["version"]}"\n')

    assert objections(goes, REVISIONS["orders"]) == []


@of_orders
def test_what_the_next_release_stops_to_use_may_not_go_yet(released: Writer, migrated: Callable[..., Config]) -> None:
    goes = migrated('op.drop_column("orders", "address")', more='unused_since = "999.0.0"\n')

    assert len(objections(goes, REVISIONS["orders"])) == 1


@of_orders
def test_a_migration_gives_way_until_it_can_have_its_lock(
    released: Writer, migrated: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrations, "LOCK_PAUSE", 0.05)
    monkeypatch.setattr(migrations, "LOCK_TRIES", 3)
    config = migrated(*EXPANDING)
    with psycopg.connect(released.url) as long:
        long.execute("LOCK TABLE orders IN SHARE MODE")
        with pytest.raises(TablesBusy):
            upgrade_by(config)

    upgrade_by(config)
    with psycopg.connect(released.url) as connection:
        assert "remark" in _columns(connection)["orders"]


@of_orders
def test_two_that_migrate_at_once_make_an_index_together_and_a_broken_one_is_made_anew(
    released: Writer, migrated: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that broke off is what a failed `CREATE UNIQUE INDEX CONCURRENTLY` leaves: it is there, and invalid."""
    with psycopg.connect(released.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE doubles AS SELECT 1 AS number FROM generate_series(1, 2)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_doubles ON doubles (number)")
        connection.execute("DELETE FROM doubles")
        config = migrated('create_index_concurrently("ix_doubles", "doubles", ["number"], unique=True)')
        locations = config.get_main_option("version_locations")
        command = (sys.executable, "-c", MIGRATE, released.url, locations)
        both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]

        errors = [process.communicate(timeout=60)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], errors
        valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_doubles'::regclass")
        assert valid.fetchall() == [(True,)]
