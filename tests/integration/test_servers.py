"""The servers that all other tests stand on keep their data through a crash, and are gone afterwards."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic, sleep

import aio_pika
import psutil
import psycopg
import pytest

from tests.support import browser, containers, servers
from tests.support.process import OwnProcess, free_port
from tests.support.servers import postgres_server, rabbitmq_server


def started_by(process: psutil.Process) -> list[psutil.Process]:
    return process.children(recursive=True)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_gone(processes: Iterable[psutil.Process], *folders: Path) -> None:
    deadline = monotonic() + 10
    while left := [p for p in processes if runs(p)] + [f for f in folders if f.exists()]:
        assert monotonic() < deadline, left
        sleep(0.1)


@pytest.fixture
def others() -> list[psutil.Process]:
    """What ran before, for other tests."""
    return started_by(psutil.Process())


@pytest.fixture(params=[postgres_server, rabbitmq_server])
def any_server(request: pytest.FixtureRequest, others: list[psutil.Process]) -> Iterator[OwnProcess]:
    with request.param(own_process=True) as server:
        yield server


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_postgres_comes_back_with_what_was_committed(end: str) -> None:
    with postgres_server(own_process=True) as server:
        with psycopg.connect(server.admin_url) as session:
            session.execute("CREATE TABLE kept (word text)")
            session.execute("INSERT INTO kept VALUES ('yes')")

        getattr(server, end)()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.admin_url)
        server.start()

        with psycopg.connect(server.admin_url) as session:
            assert session.execute("SELECT word FROM kept").fetchall() == [("yes",)]
            assert session.execute("SHOW fsync").fetchone() == ("on",)


async def test_rabbitmq_comes_back_with_what_was_confirmed() -> None:
    with rabbitmq_server(own_process=True) as server:
        async with await aio_pika.connect(server.url) as connection, connection.channel() as channel:
            await channel.declare_queue("kept", durable=True)
            message = aio_pika.Message(b"yes", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, "kept")
        # The message is confirmed, but of its queue the node says yes before that is on disk.
        server.ctl("eval", "mnesia:sync_log().")

        server.kill()
        with pytest.raises(ConnectionError):
            await aio_pika.connect(server.url)
        server.start()

        async with await aio_pika.connect(server.url) as connection, connection.channel() as channel:
            queue = await channel.get_queue("kept")
            assert (await queue.get(no_ack=True)).body == b"yes"


def test_a_frozen_server_can_be_killed_and_nothing_is_left_after_close(
    any_server: OwnProcess, others: list[psutil.Process]
) -> None:
    its = [process for process in started_by(psutil.Process()) if process not in others]
    assert any_server.pid in [process.pid for process in its]
    os.kill(any_server.pid, signal.SIGSTOP)

    any_server.close()

    assert_gone(its, any_server.folder)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_after_the_tests_themselves_are_ended(end: signal.Signals) -> None:
    script = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what the tests' own parent ignores, is ignored here too
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack
postgres, rabbitmq = postgres_server(own_process=True), rabbitmq_server(own_process=True)
stack = Stack(postgres.admin_url, rabbitmq.url)
stack.start("accounts")
print(postgres.folder, rabbitmq.folder, stack.folder, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        folders = [Path(word) for word in tests.stdout.readline().split()]
        its = started_by(psutil.Process(tests.pid))
        tests.send_signal(end)

    assert len(folders) == 3
    assert_gone(its, *folders)


def test_a_server_of_others_is_used_and_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SERVERS", raising=False)
    with postgres_server(own_process=True) as theirs:
        monkeypatch.setenv("TEST_DATABASE_URL", theirs.admin_url)
        with postgres_server() as server:
            assert server.admin_url == theirs.admin_url
            with pytest.raises(RuntimeError, match="not ours to kill"):
                server.kill()
        theirs.probe()


def test_what_is_missing_and_can_not_be_installed_is_said_in_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TEST_RABBITMQ_URL", raising=False)
    monkeypatch.setattr(servers, "_has_rabbitmq", lambda: False)
    monkeypatch.setattr(servers, "_as_root", lambda: None)
    monkeypatch.setattr(browser, "program", lambda: None)
    monkeypatch.setattr(containers, "usable", lambda image: False)
    monkeypatch.setattr(servers.shutil, "which", lambda program: None)

    assert servers.install() == 1

    rabbitmq, chromium, promtool = capsys.readouterr().err.splitlines()
    assert "rabbitmq-server" in rabbitmq
    assert "chromium" in chromium
    assert "promtool" in promtool


def test_only_what_is_missing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[list[str]] = []
    monkeypatch.setenv("TEST_RABBITMQ_URL", "amqp://elsewhere")
    monkeypatch.setattr(browser, "program", lambda: None)
    monkeypatch.setattr(servers.shutil, "which", lambda program: None)
    monkeypatch.setattr(servers, "_apt_install", lambda packages: installed.append(packages) or True)

    assert servers.install() == 0
    monkeypatch.setattr(browser, "program", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(servers.shutil, "which", lambda program: "/usr/bin/promtool")
    assert servers.install() == 0

    assert installed == [["chromium", "prometheus"]]


def test_no_port_is_given_twice() -> None:
    assert len({free_port() for _ in range(1000)}) == 1000
