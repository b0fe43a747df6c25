"""The whole system in one process: six ASGI apps on loopback ports in one event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from marketplace.registry import SERVICES, gateway_app, gateway_settings, service_app, service_settings
from shared.http.server import Server, listen, server_config
from shared.messaging.local import LocalBus, LocalHub


@dataclass(frozen=True)
class System:
    """What runs: the gateway's address, each service's own, and the apps themselves."""

    address: str
    urls: Mapping[str, str]
    apps: Mapping[str, Any]
    servers: Mapping[str, Server]
    tasks: Mapping[str, "asyncio.Task[None]"]

    def stop(self) -> None:
        """Let every server end its requests and stop. May be called from a signal's handler."""
        for server in self.servers.values():
            server.should_exit = True

    async def ended(self) -> None:
        """Return when all servers have stopped. Raises what one of them died of."""
        await asyncio.gather(*self.tasks.values())


@asynccontextmanager
async def serving(
    public: socket.socket,
    database_url: Callable[[str], str],
    settings: Mapping[str, Any],
    of_services: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> AsyncIterator[System]:
    """Start the five services and the gateway, which listens on `public`; stop them all at the end.

    `settings` go to every process and come before the environment; `of_services` are more of some services. Without a
    `rabbitmq_url` among them, events take the in-process bus.
    """
    sockets = {service: listen("127.0.0.1", 0) for service in SERVICES}
    urls = {service: _address(sock, "127.0.0.1") for service, sock in sockets.items()}
    common = {**settings, **{f"{service}_url": url for service, url in urls.items()}}
    hub = LocalHub()
    apps: dict[str, Any] = {}
    for service in SERVICES:
        given = {"rabbitmq_url": None, **common, **of_services.get(service, {})}
        own = service_settings(service, **given, database_url=database_url(service))
        apps[service] = service_app(service, own, None if own.rabbitmq_url else LocalBus(hub, service))
    apps["gateway"] = gateway_app(gateway_settings(**common))
    sockets["gateway"] = public

    servers = {name: Server(server_config(app)) for name, app in apps.items()}
    tasks = {name: asyncio.create_task(server.serve([sockets[name]])) for name, server in servers.items()}
    system = System(_address(public, "localhost"), urls, apps, servers, tasks)
    try:
        await asyncio.gather(*(server.started_up(tasks[name]) for name, server in servers.items()))
        yield system
    finally:
        system.stop()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _address(sock: socket.socket, host: str) -> str:
    return f"http://{host}:{sock.getsockname()[1]}"
