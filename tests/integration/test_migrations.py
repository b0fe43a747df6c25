import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from marketplace.errors import BAD_CONFIGURATION
from marketplace.registry import SERVICES, service_metadata
from shared.db.migrations import missing_revisions, pending_changes, upgrade
from tests.support.postgres import PostgresServer

MIGRATIONS = len([*(Path(__file__).parents[2] / "services/orders/migrations").glob("0*.py")])


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_the_tables_of_the_code(service: str, databases: dict[str, str]) -> None:
    pending_changes(service, databases[service], service_metadata(service))


@pytest.mark.parametrize("service", SERVICES)
def test_migrating_again_changes_nothing(service: str, databases: dict[str, str]) -> None:
    upgrade(service, databases[service])

    assert missing_revisions(service, databases[service]) == []


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("UTF8", f"orders: the database lacks {MIGRATIONS} migrations: run `marketplace migrate orders` first\n"),
        ("SQL_ASCII", "orders: the encoding of the database of DATABASE_URL is SQL_ASCII and must be UTF8\n"),
    ],
)
def test_a_service_refuses_a_database_that_is_not_ready_for_it(
    postgres: PostgresServer, encoding: str, line: str
) -> None:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE unready ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        url = postgres.admin_url.removesuffix("/postgres") + "/unready"
        served = subprocess.run(
            [sys.executable, "-m", "marketplace", "serve", "orders", "--port", "0"],
            env={**os.environ, "ENV": "development", "DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
        )
        connection.execute("DROP DATABASE unready")

    assert (served.returncode, served.stdout, served.stderr) == (BAD_CONFIGURATION, "", line)
