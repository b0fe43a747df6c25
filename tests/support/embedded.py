"""The embedded mode: `marketplace run`, as a person starts it, and what runs beside it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

MARKETPLACE = (sys.executable, "-m", "marketplace")


@contextmanager
def running(data: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`marketplace run`, from its first answer on."""
    command = (*MARKETPLACE, "run", "--port", str(port), "--data", str(data), *options)
    environment = {**os.environ, "FAKE_GATEWAY_SUCCESS_RATE": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/services/", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def marketplace(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run((*MARKETPLACE, *arguments), capture_output=True, text=True, timeout=110, env=env)


def servers_of(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes in that folder: they are no children, so that Ctrl-C does not reach them."""
    postmaster = data / "postgres" / "postmaster.pid"
    if not postmaster.exists():
        return []
    server = psutil.Process(int(postmaster.read_text().splitlines()[0]))
    return [server, *server.children(recursive=True)]
