"""Servers in containers, by testcontainers."""

import functools
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient


@functools.cache
def usable(image: str) -> bool:
    """Whether a Docker Engine answers, within about 2 s, and has `image` or can pull it."""
    try:
        docker = DockerClient(timeout=2).client
        docker.ping()
        if not docker.images.list(image):
            print(f"tests: pulling {image}", file=sys.stderr)
            DockerClient(timeout=120).client.images.pull(image)
    except Exception:  # what is absent, forbidden, broken or cut off shows in many ways, and all mean: not here
        return False
    return True


def start(
    image: str, port: int, environment: Mapping[str, str], command: Sequence[str] = ()
) -> tuple[str, Callable[[], None]]:
    """Start a container of a usable `image`. Returns where its `port` is, as host:port, and what removes it."""
    # Without testcontainers' own reaper, a container is still removed at exit, but not after a SIGKILL of the tests.
    if not testcontainers_config.ryuk_disabled:
        testcontainers_config.ryuk_disabled = not usable(testcontainers_config.ryuk_image)
    container = DockerContainer(image, env=dict(environment), ports=[port]).with_command(list(command))
    try:
        container.start()
        host, port = container.get_container_host_ip(), container.get_exposed_port(port)
        # Where testcontainers takes this machine for a container itself, it names a gateway even if loopback would do.
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            host = "127.0.0.1"
        return f"{host}:{port}", container.stop
    except BaseException:
        container.stop()
        raise
