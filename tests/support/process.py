"""Servers for tests: the ones that others run, and the ones that are processes of our own."""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Self


class Warden:
    """Sees to it that processes end with the tests, however these end: it is one of its own, and hears of that."""

    # Its standard input ends with the tests. Then it ends the processes that were named last and removes the folder.
    _SCRIPT = """
trap '' HUP INT TERM
while read -r line; do pids=$line; done
if [ "$pids" ]; then
  kill -s "$1" $pids; kill -s CONT $pids
  n=0; while kill -0 ${pids%% *} && [ $((n += 1)) -le 200 ]; do sleep 0.05; done
  [ $n -le 200 ] || kill -s KILL $pids
fi
rm -rf "$2"
"""

    def __init__(self, kill_signal: signal.Signals, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", self._SCRIPT, "tests-warden", kill_signal.name.removeprefix("SIG"), str(folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    def watch(self, processes: Iterable[subprocess.Popen[bytes]]) -> None:
        """These, as far as they run, and no others."""
        running = [str(process.pid) for process in processes if process.poll() is None]
        assert self._process.stdin is not None
        self._process.stdin.write(f"{' '.join(running)}\n".encode())

    def close(self) -> None:
        """Have it do its work."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class NoServer(RuntimeError):
    """This machine has no way to give a test its server; the message is one line that says what to install."""


_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free, and that no client takes while its server is down.

    So it is none that the system gives to outgoing connections: who keeps trying such a port can get it for their own
    end, be connected to themselves, and the server cannot come back. Nor is it given twice, since who has it may not
    listen yet: of thirty that one system draws, two would be the same once in fifty times.
    """
    first, outgoing = 10_000, 32_768
    with suppress(OSError):  # only Linux has the file
        outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = first + secrets.randbelow(max(outgoing - first, 1_000))
        if port in _given:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


class Server(ABC):
    """A server at `url`. One that is not `OwnProcess` can be used, but not stopped, killed or started."""

    name: ClassVar[str]
    image: ClassVar[str]  # of the container that can stand in for it
    variable: ClassVar[str]  # names the URL of one that is there already

    def __init__(self, url: str, release: Callable[[], object] = lambda: None) -> None:
        self.url = url
        self._release = release
        atexit.register(self.close)

    @abstractmethod
    def probe(self) -> None:
        """Talk to the server once, for at most about 2 s. Raises OSError unless it serves."""

    def wait_ready(self, seconds: float = 60) -> None:
        """Return when the server serves. Raises RuntimeError if it has ended, TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.probe()
            except OSError as error:
                _ = self.pid  # which complains if it was ours and has ended
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self} is not ready after {seconds:g} s: {error}") from error
                time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """Our process, for other signals such as SIGSTOP. Raises RuntimeError if it has ended."""
        return None

    def start(self) -> None:
        """Start the server again, with the data it had, and wait until it serves (60 s at most)."""
        raise RuntimeError(f"{self} is not ours to start")

    def stop(self) -> None:
        """Stop it in good order; no more than 20 s."""
        raise RuntimeError(f"{self} is not ours to stop: ask for own_process=True")

    def kill(self) -> None:
        """End it as a crash would: at once, nothing said, nothing flushed."""
        raise RuntimeError(f"{self} is not ours to kill: ask for own_process=True")

    def close(self) -> None:
        """Be rid of the server and all it wrote, if we started it. May be called again."""
        atexit.unregister(self.close)
        release, self._release = self._release, lambda: None
        release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} at {self.url.rpartition('@')[2]}"


class OwnProcess(Server):
    """A server that is a process of ours, with all it writes in `folder`.

    Process and folder are gone after `close`, and also, within moments, when the tests end without, by SIGKILL too.
    """

    stop_signal: ClassVar[signal.Signals]
    kill_signal: ClassVar[signal.Signals]

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, self._end_all)
        self.folder = Path(tempfile.mkdtemp(prefix=f"tests-{name}-"))
        self.log = self.folder / "output.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._helpers: list[subprocess.Popen[bytes]] = []
        # As root, the servers run as the user that is nobody's: PostgreSQL refuses root.
        self._nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._nobody:
            shutil.chown(self.folder, self._nobody.pw_uid, self._nobody.pw_gid)
        self._warden = Warden(self.kill_signal, self.folder)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The server's command line, of a program that stays in the foreground as one process."""

    def environment(self) -> Mapping[str, str]:
        return os.environ

    @property
    def pid(self) -> int:
        if self._server is None or self._server.poll() is not None:
            raise RuntimeError(f"{self} is not running:\n{self.log.read_text(errors='replace')[-2000:]}")
        return self._server.pid

    def start(self) -> None:
        if self._server is not None and self._server.poll() is None:
            raise RuntimeError(f"{self} is running already")
        self._server = self._spawn(self.command())
        self._tell_warden()
        self.wait_ready()

    def start_helper(self, command: Sequence[str]) -> None:
        """Start a process that the server needs beside it, which stays until `close`."""
        self._helpers.append(self._spawn(command))
        self._tell_warden()

    def run(self, *command: str | Path) -> str:
        """Run one of the server's tools to its end and return its output. Raises RuntimeError if it fails."""
        tool = self._spawn(command, stdout=subprocess.PIPE)
        output = tool.communicate()[0].decode(errors="replace")
        if tool.returncode:
            raise RuntimeError(f"{command[0]} failed with {tool.returncode}: {output[-2000:]}")
        return output

    def stop(self) -> None:
        self._end(self.stop_signal)

    def kill(self) -> None:
        self._end(self.kill_signal)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it stand still for a while: its connections stay, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def _spawn(self, command: Sequence[str | Path], stdout: int | None = None) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._nobody and self._nobody.pw_uid,
                group=self._nobody and self._nobody.pw_gid,
                extra_groups=[] if self._nobody else None,
            )

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(how)
        self._server.send_signal(signal.SIGCONT)  # a frozen process would never see the other one
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._tell_warden()

    def _tell_warden(self) -> None:
        self._warden.watch(process for process in (self._server, *self._helpers) if process)

    def _end_all(self) -> None:
        """End as after a SIGKILL of the tests, so that there is but one end to get right."""
        self._tell_warden()
        self._warden.close()
        for process in (self._server, *self._helpers):
            if process is not None:
                process.wait()
