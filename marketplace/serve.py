"""One service, or the gateway, as a process: what a container runs."""

import asyncio
import gc
import signal
import socket

from marketplace.errors import BAD_CONFIGURATION, CannotStart
from marketplace.registry import gateway_app, gateway_operations, gateway_settings, service_app, service_settings
from shared.config import ProcessSettings, ServiceSettings
from shared.http.server import Server, event_loop_factory, listen, server_config
from shared.observability.logging import configure_logging
from shared.observability.tracing import exporting


def serve(name: str, host: str, port: int) -> None:
    """Serve until SIGTERM. Raises `CannotStart`, with code 78 where the configuration is to blame."""
    settings: ProcessSettings = gateway_settings() if name == "gateway" else service_settings(name)
    configure_logging(settings.log_level, settings.log_format)
    if isinstance(settings, ServiceSettings):
        _check_database(name, settings.database_url)
        apps = {port: service_app(name, settings)}
    else:
        apps = {port: gateway_app(settings), **gateway_operations(settings)}
    sockets = [_listen(name, host, number) for number in apps]
    servers = [Server(server_config(app)) for app in apps.values()]
    _collect_rarely()
    with (
        exporting(settings.otel_exporter_otlp_endpoint),
        asyncio.Runner(loop_factory=event_loop_factory()) as runner,
    ):
        runner.run(_serve(servers, sockets))


def _check_database(service: str, database_url: str) -> None:
    # The gateway has no database, and 35 MB less without all this.
    from marketplace.databases import check_access
    from shared.db.revisions import missing_revisions

    if not database_url:
        raise CannotStart(f"{service}: DATABASE_URL is missing", BAD_CONFIGURATION)
    check_access(service, database_url)
    if missing := missing_revisions(service, database_url):
        line = f"{service}: the database lacks {len(missing)} migrations: run `marketplace migrate {service}` first"
        raise CannotStart(line, BAD_CONFIGURATION)


def _listen(name: str, host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise CannotStart(f"{name}: port {port} can't be had: {error.strerror}") from error


def _collect_rarely() -> None:
    """Make pauses for garbage rare: a full one looks at all that lives, which takes a second with ten thousand sockets.

    What is there by now stays for as long as the process, and need not be looked at again. The rest waits until much
    is new: requests and sockets leave few cycles, and all else is freed at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def _serve(servers: list[Server], sockets: list[socket.socket]) -> None:
    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve([sock]) for server, sock in zip(servers, sockets, strict=True)))
