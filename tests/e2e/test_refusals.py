"""A process that is configured wrongly ends at once with one line that says why, and code 78."""

import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from services.accounts.domain import DEMO_PASSWORD
from tests.support.people import expect
from tests.support.postgres import OwnPostgres
from tests.support.process import free_port
from tests.support.stack import Stack

CONFIGURATION = 78


def serve(stack: Stack, name: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Start the process with these changes to what would be right; it must end by itself."""
    environment = {**stack.environment(name), **changes}
    return subprocess.run(
        [sys.executable, "-m", "marketplace", "serve", name, "--host", "127.0.0.1", "--port", str(free_port())],
        env={key: value for key, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=60,
    )


def the_one_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == CONFIGURATION, ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def test_a_database_of_another_service_is_refused(stack: Stack) -> None:
    own, another = urlsplit(stack.databases["orders"]), "payments"
    url = own._replace(path=f"/{another}").geturl()

    line = the_one_line(serve(stack, "orders", DATABASE_URL=url))

    assert 'permission denied for database "payments"' in line
    assert str(own.password) not in line


def test_a_wrong_password_is_refused(stack: Stack) -> None:
    own = urlsplit(stack.databases["orders"])
    url = own._replace(netloc=f"orders:wrong-password-1234567890@{own.hostname}:{own.port}").geturl()

    line = the_one_line(serve(stack, "orders", DATABASE_URL=url))

    assert "password authentication failed" in line
    assert "wrong-password" not in line


def test_a_database_that_is_not_migrated_is_refused(stack: Stack, postgres: OwnPostgres) -> None:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS unmigrated")
        connection.execute("CREATE DATABASE unmigrated OWNER orders")
    url = urlsplit(stack.databases["orders"])._replace(path="/unmigrated").geturl()

    line = the_one_line(serve(stack, "orders", DATABASE_URL=url))

    assert "marketplace migrate orders" in line


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("orders", "DATABASE_URL", None),
        ("orders", "DATABASE_URL", "postgresql://orders:orders@127.0.0.1:9/orders"),
        ("orders", "RABBITMQ_URL", None),
        ("orders", "RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:9/"),
        ("orders", "INTERNAL_SECRET", None),
        ("orders", "INTERNAL_SECRET", "short"),
        ("orders", "DEBUG", "true"),
        ("accounts", "KEYS_SECRET", None),
        ("accounts", "REFRESH_SECRET", "change-me-change-me-change-me-change-me"),
        ("payments", "ALLOW_FAKE_PAYMENTS", None),
        ("gateway", "CORS_ORIGINS", "*"),
        ("orders", "RETRY_DELAYS", "soon"),
    ],
)
def test_an_unsafe_setting_is_refused_by_name_and_not_by_value(
    stack: Stack, name: str, setting: str, value: str | None
) -> None:
    line = the_one_line(serve(stack, name, **{setting: value}))

    named = "PAYMENT_GATEWAY" if setting == "ALLOW_FAKE_PAYMENTS" else setting
    assert named in line
    assert value is None or len(value) < 6 or value not in line


async def test_production_takes_no_demo_password(http: httpx.AsyncClient) -> None:
    body = {"email": "client@example.com", "password": DEMO_PASSWORD, "full_name": "Demo", "role": "client"}

    refused = await http.post("/api/auth/register/", json=body)

    assert expect(refused, 422)["errors"][0]["field"] == "password"
