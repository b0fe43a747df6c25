"""Everything in one process: six ASGI apps on loopback ports in one event loop, and a PostgreSQL of its own."""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marketplace.databases import provision
from marketplace.demo_data import put_in_once
from marketplace.errors import CannotStart
from marketplace.postgres import EmbeddedPostgres
from marketplace.registry import SERVICES, gateway_app, gateway_settings, service_app, service_settings
from shared.db.migrations import upgrade
from shared.http.server import Server, listen, server_config
from shared.messaging.local import LocalBus, LocalHub
from shared.observability.logging import configure_logging

SECRETS = ("keys_secret", "refresh_secret", "internal_secret")


def run(port: int, data: Path, host: str = "127.0.0.1") -> None:
    """Run until SIGINT or SIGTERM. Raises `CannotStart` in one clear line."""
    began = time.monotonic()
    with data_folder(data), _listening(host, port) as public:
        postgres = EmbeddedPostgres(data / "postgres")
        try:
            provision(postgres.url("postgres"))
            for service in SERVICES:
                upgrade(service, postgres.url(service, user=service))
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_serve_all(public, postgres, data, began))
        finally:
            postgres.stop()


async def _serve_all(public: socket.socket, postgres: EmbeddedPostgres, data: Path, began: float) -> None:
    sockets = {service: listen("127.0.0.1", 0) for service in SERVICES}
    urls = {f"{name}_url": f"http://127.0.0.1:{sock.getsockname()[1]}" for name, sock in sockets.items()}
    common = {"env": os.environ.get("ENV", "development"), **urls}
    own_secrets = _secrets(data / "secrets.json")
    hub = LocalHub()
    apps: dict[str, Any] = {}
    for service in SERVICES:
        settings = service_settings(
            service, **common, **own_secrets, database_url=postgres.url(service, user=service), rabbitmq_url=None
        )
        apps[service] = service_app(service, settings, LocalBus(hub, service))
    apps["gateway"] = gateway_app(gateway_settings(**common))
    configure_logging(os.environ.get("LOG_LEVEL", "WARNING"), os.environ.get("LOG_FORMAT", "console"))

    servers = {name: Server(server_config(app)) for name, app in apps.items()}
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop, servers)
    sockets["gateway"] = public
    tasks = {name: asyncio.create_task(server.serve([sockets[name]])) for name, server in servers.items()}
    try:
        await asyncio.gather(*(server.started_up(tasks[name]) for name, server in servers.items()))
        address = f"http://localhost:{public.getsockname()[1]}"
        await put_in_once(address, apps["accounts"], data / "demo-data.json")
        print(_panel(address, time.monotonic() - began), flush=True)
        await asyncio.gather(*tasks.values())
    finally:
        _stop(servers)
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _stop(servers: dict[str, Server]) -> None:
    for server in servers.values():
        server.should_exit = True


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@contextmanager
def data_folder(data: Path) -> Iterator[None]:
    """The data folder, ours alone while this runs."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("a+")
    except OSError as error:
        raise CannotStart(f"The data folder {data} can't be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise CannotStart(f"The database in {data} is open already, by process {lock.read().strip()}.") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        public = listen(host, port)
    except OSError as error:
        raise CannotStart(f"Port {port} can't be had: {error.strerror}. Another one: --port {port + 1}") from error
    with public:
        yield public


def _secrets(path: Path) -> dict[str, str]:
    """Random secrets, made at the first start and kept; the environment's come first."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(48) for name in SECRETS}))
    kept: dict[str, str] = json.loads(path.read_text())
    return {name: os.environ.get(name.upper(), value) for name, value in kept.items()}


def _panel(address: str, seconds: float) -> str:
    lines = [
        f"Service Marketplace is running: {address}   (started in {seconds:.1f} s)",
        "",
        f"API documents   {address}/api/schema/swagger-ui/   {address}/api/schema/redoc/",
        "Demo logins     admin@example.com   worker@example.com   client@example.com",
        "                password marketplace-demo   (demo only; refused with ENV=production)",
        "Try it          make demo   or   marketplace demo --url " + address,
        "Stop it         Ctrl-C",
    ]
    width = max(map(len, lines))
    edge = "─" * (width + 2)
    return "\n".join([f"╭{edge}╮", *(f"│ {line:<{width}} │" for line in lines), f"╰{edge}╯"])
