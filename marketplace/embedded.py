"""`marketplace run`: the whole system in one process, with a PostgreSQL of its own in a folder of its own."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from marketplace.data_folder import at_once, data_folder, embedded_settings
from marketplace.databases import provision
from marketplace.demo_data import put_in_once
from marketplace.errors import CannotStart
from marketplace.postgres import EmbeddedPostgres
from marketplace.registry import SERVICES
from marketplace.simulators.servers.beside import played_providers
from marketplace.system import serving
from shared.db.migrations import upgrade
from shared.http.server import event_loop_factory, listen
from shared.observability.logging import configure_logging
from shared.observability.tracing import exporting

SECRETS = ("keys_secret", "refresh_secret", "internal_secret")


def run(port: int, data: Path, host: str = "127.0.0.1", *, simulate_providers: bool = False) -> None:
    """Run until SIGINT or SIGTERM, where wanted with Payme and Click played beside it. Raises `CannotStart` in one
    clear line."""
    began = time.monotonic()
    if simulate_providers and os.environ.get("ENV") == "production":
        raise CannotStart("Simulated providers take no money: ENV=production refuses them.")
    # Until the event loop takes signals over, SIGTERM too must pass through the `finally` that stops PostgreSQL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with data_folder(data), _listening(host, port) as public:
        postgres = EmbeddedPostgres(data / "postgres")
        try:
            provision(postgres.url("postgres"))
            for service in SERVICES:
                upgrade(service, postgres.url(service, user=service))
            with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
                runner.run(_serve(public, postgres, data, began, simulate_providers))
        finally:
            postgres.stop()


async def _serve(
    public: socket.socket, postgres: EmbeddedPostgres, data: Path, began: float, simulate_providers: bool
) -> None:
    configure_logging(os.environ.get("LOG_LEVEL", "WARNING"), os.environ.get("LOG_FORMAT", "console"))
    _make_secrets(data)
    settings = embedded_settings(data)
    settings["public_url"] = os.environ.get("PUBLIC_URL", f"http://localhost:{public.getsockname()[1]}")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.enter_context(exporting(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")))
        if simulate_providers:
            settings |= await stack.enter_async_context(played_providers(f"http://127.0.0.1:{public.getsockname()[1]}"))
        databases = serving(public, lambda service: postgres.url(service, user=service), settings, at_once())
        system = await stack.enter_async_context(databases)
        await put_in_once(system.address, system.apps["accounts"], data / "demo-data.json")
        print(_panel(system.address, settings, time.monotonic() - began), flush=True)
        ended = asyncio.create_task(system.ended())
        await asyncio.wait({ended, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        system.stop()
        await ended


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        public = listen(host, port)
    except OSError as error:
        raise CannotStart(f"Port {port} can't be had: {error.strerror}. Take another one by --port.") from error
    with public:
        yield public


def _make_secrets(data: Path) -> None:
    """Random ones, at the first start."""
    path = data / "secrets.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(48) for name in SECRETS}))


def _panel(address: str, settings: Mapping[str, Any], seconds: float) -> str:
    played = ["Payme, Click    are played on pages of this machine: pay by payme or click and open checkout_url"]
    lines = [
        f"Service Marketplace is running: {address}   (started in {seconds:.1f} s)",
        "",
        f"API documents   {address}/api/schema/swagger-ui/   {address}/api/schema/redoc/",
        "Demo logins     admin@example.com   worker@example.com   client@example.com",
        "                password marketplace-demo   (demo only; refused with ENV=production)",
        f"Mails           are files in {settings['mail_dir']}/ unless SMTP_URL is set",
        *(played if settings.get("payment_gateway") == "live" else []),
        "Try it          marketplace demo --url " + address + "   (or make demo)",
        "Stop it         Ctrl-C",
    ]
    width = max(map(len, lines))
    edge = "─" * (width + 2)
    return "\n".join([f"╭{edge}╮", *(f"│ {line:<{width}} │" for line in lines), f"╰{edge}╯"])
