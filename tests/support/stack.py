"""The deployed form without containers: every service a process of its own, PostgreSQL and RabbitMQ between them."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from marketplace.databases import provision
from marketplace.registry import SERVICES
from shared.db.migrations import upgrade
from tests.support.process import Warden, free_port

PROCESSES = (*SERVICES, "gateway")
STARTS_WITHIN = 180.0
"""Seconds that all processes together may take to be ready; this machine may be busy."""
STOPS_WITHIN = 25.0
"""Seconds that a process has to end after SIGTERM."""


def served_by(process: str) -> str:
    return process.partition("-")[0]


def provisioned_urls(admin_url: str) -> dict[str, str]:
    """Make the five databases on the server of `admin_url`, migrated; returns their addresses, each its own user's."""
    passwords = {service: secrets.token_hex(16) for service in SERVICES}
    provision(admin_url, passwords)
    address = urlsplit(admin_url).netloc.rpartition("@")[2]
    urls = {name: f"postgresql://{name}:{password}@{address}/{name}" for name, password in passwords.items()}
    for service, url in urls.items():
        upgrade(service, url)
    return urls


class Stack:
    """Six processes started with `marketplace serve`, each of which can be stopped, killed and started again.

    They are called by what they serve: `orders`, and `orders-2` for another instance of it.

    Of `twins` there is a second instance each, as `orders-2`, which the gateway knows too. `program` is the module,
    with its arguments, that is run as the `marketplace`.
    """

    def __init__(
        self,
        admin_url: str,
        rabbitmq_url: str,
        *,
        twins: Sequence[str] = (),
        program: Sequence[str] = ("marketplace",),
        **settings: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="marketplace-stack-"))
        self.names = (*PROCESSES, *(f"{name}-2" for name in twins))
        self.ports: dict[str, int] = defaultdict(free_port)
        self._program = program
        self.url = f"http://127.0.0.1:{self.ports['gateway']}"
        self.databases = provisioned_urls(admin_url)
        self._rabbitmq_url, self._settings = rabbitmq_url, settings
        self._secrets = {
            name: secrets.token_urlsafe(48) for name in ("KEYS_SECRET", "REFRESH_SECRET", "INTERNAL_SECRET")
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._warden = Warden(signal.SIGKILL, self.folder)

    def environment(self, process: str) -> Mapping[str, str]:
        """What the process is configured with: production's own settings, but for what a test shortens."""
        name = served_by(process)
        urls = {f"{service.upper()}_URL": f"http://127.0.0.1:{self.ports[service]}" for service in SERVICES}
        if name == "gateway":
            for twin in self.names[len(PROCESSES) :]:
                urls[f"{served_by(twin).upper()}_URL"] += f",{self.address(twin)}"
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        common = inherited | urls | {"RATE_LIMIT_SCALE": "1000"}
        if name == "gateway":
            return common | {"OPERATIONS_PORT": str(free_port())} | self._settings
        own = {
            "DATABASE_URL": self.databases[name],
            "RABBITMQ_URL": self._rabbitmq_url,
            "ALLOW_FAKE_PAYMENTS": "true",
        }
        return common | self._secrets | own | self._settings

    def start(self, *processes: str) -> None:
        """Start the processes and wait until each is ready. Raises `RuntimeError` with the log of one that ended."""
        for process in processes or self.names:
            self.spawn(process)
        for process in processes or self.names:
            self.wait_ready(process)

    @contextmanager
    def another(self, name: str) -> Iterator[str]:
        """A second instance of a service, beside the one that the gateway knows; its address."""
        second = next(new for number in count(2) if (new := f"{name}-{number}") not in self.ports)
        self.spawn(second)
        try:
            self.wait_ready(second)
            yield self.address(second)
        finally:
            self.stop(second)

    @contextmanager
    def changed(self, **settings: str) -> Iterator[None]:
        """What is started meanwhile, is under these settings."""
        before = self._settings
        self._settings = before | settings
        try:
            yield
        finally:
            self._settings = before

    @contextmanager
    def restarted_with(self, name: str, **settings: str) -> Iterator[None]:
        """The process under these settings, for a while."""
        self.stop(name)
        try:
            with self.changed(**settings):
                self.start(name)
            yield
        finally:
            self.stop(name)
            self.start(name)

    def spawn(self, process: str) -> None:
        """Start the process, and don't wait until it is ready."""
        command = (sys.executable, "-m", *self._program, "serve", served_by(process), "--host", "127.0.0.1")
        with (self.folder / f"{process}.log").open("ab") as log:
            self._processes[process] = subprocess.Popen(
                (*command, "--port", str(self.ports[process])),
                env=dict(self.environment(process)),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._tell_warden()

    def revive(self) -> None:
        """Start again what has ended by itself, as whatever runs the processes of a deployment does."""
        for name, process in [*self._processes.items()]:
            # What `kill` has ended was taken out before, and is not this one's to start.
            if process.poll() is not None and self._processes.get(name) is process:
                self.spawn(name)

    def wait_ready(self, name: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            if self._processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended:\n{self.log(name)[-3000:]}")
            try:
                if httpx.get(f"{self.address(name)}/health/ready", timeout=2, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{name} was not ready in {STARTS_WITHIN:g} s:\n{self.log(name)[-3000:]}")

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        """SIGKILL: nothing is finished and nobody is told."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        self._tell_warden()

    def stop(self, *processes: str) -> None:
        """SIGTERM to all of them, and wait for their ends, which have to be in good order within 25 s."""
        names = processes or tuple(self._processes)
        for name in names:
            self._processes[name].terminate()
        ends = {name: self._processes.pop(name).wait(STOPS_WITHIN) for name in names}
        self._tell_warden()
        for name, code in ends.items():
            if code:
                raise RuntimeError(f"{name} ended with {code}:\n{self.log(name)[-3000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._tell_warden()
        self._warden.close()

    def _tell_warden(self) -> None:
        self._warden.watch([*self._processes.values()])
