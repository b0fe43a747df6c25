import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from marketplace.errors import BAD_CONFIGURATION
from marketplace.registry import SERVICES, service_metadata
from shared.db.migrations import config_of, pending_changes, upgrade
from shared.db.revisions import missing_revisions, revisions
from tests.support.postgres import PostgresServer

MIGRATIONS = len([*(Path(__file__).parents[2] / "services/orders/migrations").glob("0*.py")])


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_the_tables_of_the_code(service: str, databases: dict[str, str]) -> None:
    pending_changes(service, databases[service], service_metadata(service))


@pytest.mark.parametrize("service", SERVICES)
def test_the_names_of_migrations_tell_their_order(service: str, databases: dict[str, str]) -> None:
    chain = ScriptDirectory.from_config(config_of(service, databases[service])).walk_revisions()

    assert [revision.revision for revision in chain] == revisions(service)[::-1]


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


SERVED = """
import asyncio
import sys
from marketplace import cli

def tell(runner: asyncio.Runner, main: object) -> None:
    main.close()
    print(*{name.split(".")[0] for name, module in sys.modules.items() if module})

asyncio.Runner.run = tell
cli.serve("orders", "127.0.0.1", 0)
"""


def test_what_serves_loads_nothing_that_migrates_or_prints_in_colours(databases: dict[str, str]) -> None:
    environment = {**os.environ, "ENV": "development", "DATABASE_URL": databases["orders"]}
    served = subprocess.run(
        [sys.executable, "-c", SERVED], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(served.stdout.split())

    assert {"sqlalchemy", "fastapi"} <= loaded
    assert not loaded & {"alembic", "mako", "pygments", "rich"}
