"""RabbitMQ for tests."""

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.support import containers
from tests.support.process import NoServer, OwnProcess, Server, free_port

# A small node. File access by one thread lets it start in a third of the time. Nobody spins while there is nothing to
# do, as RabbitMQ advises where cores are shared: under load that took a third of its time.
_ERLANG = "+S 2:2 +SDio 1 +sbwt none +sbwtdio none +sbwtdcpu none"


class RabbitServer(Server):
    """A RabbitMQ; its `url`, `amqp://user:password@host:port/`, is an administrator's."""

    name = "RabbitMQ"
    image = "rabbitmq:4-management"
    variable = "TEST_RABBITMQ_URL"

    @classmethod
    def in_container(cls) -> Self:
        password = secrets.token_hex(8)
        environment = {
            "RABBITMQ_DEFAULT_USER": "tests",
            "RABBITMQ_DEFAULT_PASS": password,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        }
        address, remove = containers.start(cls.image, 5672, environment)
        server = cls(f"amqp://tests:{password}@{address}/", remove)
        server.wait_ready()
        return server

    def probe(self) -> None:
        at = urlsplit(self.url)
        with socket.create_connection((at.hostname, at.port or 5672), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            # A container's port is open before there is a node behind it: it has to say something.
            if connection.recv(1) != b"\x01":
                raise ConnectionError("no AMQP 0-9-1 there")


class OwnRabbit(OwnProcess, RabbitServer):
    """A private node of the machine's RabbitMQ, on ports of 127.0.0.1, without plugins."""

    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self) -> None:
        self._bin = programs()
        port, self._epmd_port, password = free_port(), free_port(), secrets.token_hex(8)
        super().__init__(f"amqp://tests:{password}@127.0.0.1:{port}/", "rabbitmq")
        config = self.folder / "rabbitmq.conf"
        config.write_text(f"default_user = tests\ndefault_pass = {password}\n")
        files = {
            "MNESIA_BASE": "data",
            "LOG_BASE": "log",
            # the machine's own configuration is left out by naming files that are not there
            "CONF_ENV_FILE": "none.env",
            "CONFIG_FILES": "none.d",
            "ADVANCED_CONFIG_FILE": "none.config",
            "ENABLED_PLUGINS_FILE": "none.plugins",
        }
        self._environment = {
            **{f"RABBITMQ_{name}": str(self.folder / file) for name, file in files.items()},
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_NODENAME": f"tests-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_ERLANG} -kernel inet_dist_use_interface {{127,0,0,1}}",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node, instead of waiting for it
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join((os.environ.get("PATH", ""), os.defpath)),
        }

    def command(self) -> Sequence[str]:
        return (str(self._bin / "rabbitmq-server"),)

    def environment(self) -> Mapping[str, str]:
        return self._environment

    def start(self) -> None:
        if not self._helpers:
            self._start_epmd()
        super().start()

    def wipe(self) -> None:
        """Start anew, with none of the data that was there."""
        self.stop()
        shutil.rmtree(self.folder / "data")
        self.start()

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node, which takes 1 s or 2, and return its output. Raises RuntimeError."""
        return self.run(self._bin / "rabbitmqctl", "--quiet", *arguments)

    def _start_epmd(self) -> None:
        """Start Erlang's port mapper first, or the node starts one that goes on when the node is gone."""
        self.start_helper(("epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"))
        for _ in range(100):
            try:
                return socket.create_connection(("127.0.0.1", self._epmd_port), timeout=2).close()
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("epmd is not ready after 5 s")


def programs() -> Path:
    """The folder of RabbitMQ's programs. Raises NoServer."""
    # Debian's programs on the PATH drop the environment that makes a node private; those in here keep it.
    if (debian := Path("/usr/lib/rabbitmq/bin")).is_dir():
        return debian
    if found := shutil.which("rabbitmq-server"):
        return Path(found).parent
    raise NoServer("these tests need RabbitMQ: install the package rabbitmq-server")
