"""`marketplace doctor` finds nothing wrong with a system that is well, and each fault where there is one."""

import json
import subprocess
import sys
import time
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aio_pika
import httpx
import psycopg
import pytest
from aio_pika.abc import AbstractChannel

from marketplace.doctor import database as database_checks
from marketplace.doctor.findings import Level, Patient
from marketplace.doctor.visit import findings
from marketplace.registry import SERVICES, gateway_settings, service_settings
from tests.e2e.journeys import one
from tests.support.embedded import marketplace, running
from tests.support.people import Person, register
from tests.support.postgres import OwnPostgres
from tests.support.process import free_port
from tests.support.rabbitmq import OwnRabbit
from tests.support.stack import PROCESSES, Stack
from tests.support.waiting import eventually


async def said(stack: Stack, name: str, **settings: Any) -> dict[str, str]:
    """What the doctor finds wrong with the process, were it configured like that: check → what is said of it."""
    given = {key.lower(): value for key, value in stack.environment(name).items()} | settings
    own = gateway_settings(**given) if name == "gateway" else service_settings(name, **given)
    found = await findings(Patient(name, own, is_deployed=True))
    return {finding.check: finding.said for finding in found if finding.level == Level.WRONG}


@contextmanager
def changed(url: str, do: str, undo: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(do.encode())
        try:
            yield
        finally:
            connection.execute(undo.encode())


@asynccontextmanager
async def channel_of(rabbitmq: OwnRabbit) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(rabbitmq.url) as connection:
        yield await connection.channel()


@pytest.mark.parametrize("name", PROCESSES)
async def test_nothing_is_wrong_with_a_system_that_is_well(stack: Stack, name: str) -> None:
    assert await said(stack, name) == {}


def test_it_says_what_it_looked_at_for_machines(stack: Stack) -> None:
    looked = marketplace("doctor", "orders", "--json", **stack.environment("orders"))

    assert looked.returncode == 0, looked.stdout + looked.stderr
    found = json.loads(looked.stdout)["orders"]
    assert {finding["level"] for finding in found} <= {"ok", "warning"}
    assert {finding["check"] for finding in found} >= {
        *("database", "database rights", "migrations", "clock of the database", "outbox", "inbox", "dead letters"),
        *("broker", "exchanges", "queues", "queues' arguments", "consumers", "given up by the broker"),
        *SERVICES,
        *("public keys", "INTERNAL_SECRET", "open files"),
    }


async def test_servers_that_are_away(stack: Stack) -> None:
    away = free_port()
    wrong = await said(
        stack,
        "orders",
        database_url=f"postgresql://orders:secret@127.0.0.1:{away}/orders",
        rabbitmq_url=f"amqp://marketplace:secret@127.0.0.1:{away}/",
        payments_url=f"http://127.0.0.1:{away}",
    )

    assert set(wrong) == {"database", "broker", "payments"}
    assert "secret" not in str(wrong)


@pytest.mark.parametrize(
    ("do", "undo", "what"),
    [
        ("ALTER ROLE orders CREATEDB", "ALTER ROLE orders NOCREATEDB", "may create databases"),
        ("ALTER ROLE orders SUPERUSER", "ALTER ROLE orders NOSUPERUSER", "is a superuser"),
        (
            "GRANT CONNECT ON DATABASE catalog TO orders",
            "REVOKE CONNECT ON DATABASE catalog FROM orders",
            "can open the database catalog",
        ),
        ("GRANT pg_read_all_data TO orders", "REVOKE pg_read_all_data FROM orders", "is a member of pg_read_all_data"),
    ],
)
async def test_a_user_with_too_many_rights(stack: Stack, postgres: OwnPostgres, do: str, undo: str, what: str) -> None:
    with changed(postgres.admin_url, do, undo):
        wrong = await said(stack, "orders")

    assert what in wrong["database rights"]


async def test_a_database_that_is_behind(stack: Stack) -> None:
    newest = one(stack, "orders", "SELECT version_num FROM alembic_version")
    back = f"UPDATE alembic_version SET version_num = '{newest}'"
    with changed(stack.databases["orders"], "UPDATE alembic_version SET version_num = '0001'", back):
        wrong = await said(stack, "orders")

    assert wrong["migrations"].startswith(f"{int(newest) - 1} are missing, 0002 the first")


async def test_clocks_that_are_apart(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = types.SimpleNamespace(time=lambda: time.time() + 60)
    monkeypatch.setattr(database_checks, "time", ahead)
    monkeypatch.setattr("marketplace.doctor.neighbours.time", ahead)

    wrong = await said(stack, "orders")

    assert set(wrong) == {"clock of the database", *(f"clock of {service}" for service in SERVICES)}
    assert "-60" in wrong["clock of the database"]


async def test_secrets_that_are_not_the_same(stack: Stack) -> None:
    other = "another secret of at least 32 characters"

    assert set(await said(stack, "accounts", keys_secret=other)) == {"signing keys"}
    assert set(await said(stack, "orders", internal_secret=other)) == {"INTERNAL_SECRET"}
    assert set(await said(stack, "accounts", internal_secret=other)) == {"INTERNAL_SECRET"}


async def test_a_folder_that_cannot_be_written_and_a_mail_server_that_is_away(stack: Stack) -> None:
    pictures = await said(stack, "catalog", media_dir="/dev/null/media")
    mails = await said(stack, "notifications", mail_dir="/dev/null/mails")
    smtp = await said(stack, "notifications", smtp_url=f"smtp://127.0.0.1:{free_port()}")

    assert (set(pictures), set(mails), set(smtp)) == ({"pictures"}, {"mails"}, {"mails"})


def test_too_few_open_files(stack: Stack) -> None:
    few = ("sh", "-c", 'ulimit -n 1024; exec "$0" -m marketplace doctor gateway', sys.executable)
    looked = subprocess.run(few, env=dict(stack.environment("gateway")), capture_output=True, text=True, timeout=60)

    assert looked.returncode == 1
    assert "✗ wrong   open files: 1024 at once" in looked.stdout
    assert looked.stderr == "1 thing is wrong.\n"


async def event_that_orders_has(stack: Stack, worker: Person) -> tuple[Any, Any]:
    """Id and envelope of the one that tells of a new worker."""

    async def known() -> Any:
        return one(stack, "orders", "SELECT count(*) FROM people WHERE id = %s", worker.id)

    await eventually(known)
    told = "SELECT event_id FROM outbox WHERE envelope LIKE %s AND name = 'user.registered'"
    event_id = one(stack, "accounts", told, f"%{worker.id}%")
    envelope = one(stack, "accounts", "SELECT envelope FROM outbox WHERE event_id = %s", event_id)
    return event_id, envelope


async def test_what_a_stopped_service_leaves_undone(stack: Stack, http: httpx.AsyncClient) -> None:
    event_id, envelope = await event_that_orders_has(stack, await register(http, "worker"))
    stack.stop("orders")
    try:
        with psycopg.connect(stack.databases["orders"]) as connection:
            connection.execute(
                "UPDATE inbox SET state = 'retry', envelope = %s, next_at = now() - interval '1 hour'"
                " WHERE event_id = %s",
                [envelope, event_id],
            )
            connection.execute(
                "INSERT INTO outbox (event_id, name, envelope, created_at)"
                " VALUES (gen_random_uuid(), 'order.created', '{}', now() - interval '1 hour')"
            )
        wrong = await said(stack, "orders")
    finally:
        with psycopg.connect(stack.databases["orders"]) as connection:
            connection.execute("DELETE FROM outbox WHERE envelope = '{}'")
        stack.start("orders")

    assert set(wrong) == {"orders", "consumers", "outbox", "inbox"}
    assert "the oldest for 3600 s" in wrong["outbox"]
    assert "orders.user.registered" in wrong["consumers"]

    async def well() -> bool:
        return await said(stack, "orders") == {}

    await eventually(well)


async def test_a_queue_that_is_gone_or_another_and_the_remedy(stack: Stack, rabbitmq: OwnRabbit) -> None:
    name = "payments.order.disputed"
    stack.stop("payments")
    async with channel_of(rabbitmq) as channel:
        await channel.queue_delete(name)
        gone = await said(stack, "notifications")
        await channel.declare_queue(name, durable=True)
        another = await said(stack, "notifications")
        await channel.queue_delete(name)
    stack.start("payments")

    assert gone == {"payments": gone["payments"], "queues": f"missing: {name}"}
    assert another["queues' arguments"].endswith(name)

    async def well() -> bool:
        return await said(stack, "payments") == {}

    await eventually(well)


async def test_what_the_broker_gave_up(stack: Stack, rabbitmq: OwnRabbit) -> None:
    async with channel_of(rabbitmq) as channel:
        await channel.default_exchange.publish(aio_pika.Message(b"no envelope"), "payments.order.created")

        async def parked() -> str | None:
            return (await said(stack, "payments")).get("given up by the broker")

        assert "payments.dead holds 1" in await eventually(parked)
        queue = await channel.get_queue("payments.dead", ensure=False)
        await queue.purge()

    assert await said(stack, "payments") == {}


async def test_dead_letters_are_listed_shown_and_replayed(stack: Stack, http: httpx.AsyncClient) -> None:
    worker = await register(http, "worker")
    event_id, envelope = await event_that_orders_has(stack, worker)
    with psycopg.connect(stack.databases["orders"]) as connection:
        connection.execute(
            "UPDATE inbox SET state = 'dead', attempts = 6, error = 'KeyError()', envelope = %s WHERE event_id = %s",
            [envelope, event_id],
        )
    environment = stack.environment("orders")
    wrong = await said(stack, "orders")
    listed = marketplace("dead-letters", "list", "orders", **environment).stdout
    shown = marketplace("dead-letters", "show", str(event_id), "orders", **environment).stdout
    nobodys = marketplace("dead-letters", "replay", "orders", "--event", worker.id, **environment)
    replayed = marketplace("dead-letters", "replay", "orders", "--event", str(event_id), **environment).stdout

    assert wrong == {"dead letters": "1 could not be handled"}
    assert f"{event_id}  user.registered" in listed
    assert "KeyError()" in listed
    assert worker.id in shown
    assert nobodys.returncode == 1
    assert replayed == "orders: 1 dead letters are tried again\n"

    async def done() -> bool:
        state: str = one(stack, "orders", "SELECT state FROM inbox WHERE event_id = %s", event_id)
        return state == "done"

    await eventually(done)
    assert await said(stack, "orders") == {}


def test_make_run_is_looked_at_by_its_data_folder(tmp_path: Path) -> None:
    with running(tmp_path / "var", free_port()):
        well = marketplace("doctor", "--data", str(tmp_path / "var"))
        other = marketplace("doctor", "--data", str(tmp_path / "var"), KEYS_SECRET="another secret")

    assert well.returncode == 0, well.stdout
    assert all(f"{service}\n" in well.stdout for service in SERVICES)
    assert other.returncode == 1
    assert "signing keys: were encrypted under another KEYS_SECRET" in other.stdout
