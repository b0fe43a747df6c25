"""Where a request's time goes: of each row what every process spends on one, and of what its Python is made.

    python -m bench.profile [--seconds 10] [--connections 16] [--save]

First each row is served and the processes' use of the cores is read; then once more, with py-spy looking on. `--save`
writes the tables and the flame graphs to docs/performance/.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.comparing import Figure, Side
from bench.rows import DRAWN, ROWS, WARM_UP, ask, lua
from bench.saving import DOCS
from bench.stack import seeded_stack
from bench.wrk import need_wrk
from tests.support.stack import PROCESSES, Stack

ROOT = Path(__file__).parent.parent
SERVED_BY: Mapping[str, str] = {
    "lists": "catalog",
    "lists, no cache": "catalog",
    "details, no cache": "catalog",
    "my orders": "orders",
    "new orders": "orders",
}
ROOMS = ("gateway", "shared", "services", "marketplace")
PY_SPY = str(Path(sys.executable).with_name("py-spy"))
SAMPLES = 100
"""A second."""


class Spent(NamedTuple):
    """What one process was busy with."""

    row: str
    process: str
    kinds: Counter[str]
    """Samples by library."""


def used(stack: Stack) -> Counter[str]:
    """Seconds of a core by now, of each process and of the two servers with all of theirs."""
    seconds: Counter[str] = Counter()
    ours = {stack.pid(name): name for name in PROCESSES}
    for process in psutil.process_iter(["pid", "name", "cpu_times"]):
        name = ours.get(process.info["pid"]) or {"postgres": "PostgreSQL", "beam.smp": "RabbitMQ"}.get(
            process.info["name"]
        )
        if name and process.info["cpu_times"]:
            seconds[name] += sum(process.info["cpu_times"][:2])
    return seconds


def looked_at(stack: Stack, processes: Iterable[str], seconds: int, load: Callable[[], object], *options: str) -> None:
    """Serve the load while py-spy records each of the processes, with options in which `{}` is its name."""
    recording = [
        subprocess.Popen(
            [PY_SPY, "record", "-p", str(stack.pid(name)), "-d", str(seconds), "-r", str(SAMPLES)]
            + [option.format(name) for option in options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in processes
    ]
    loading = threading.Thread(target=load)
    loading.start()
    for recorder in recording:
        said = recorder.communicate()[1]
        if recorder.returncode:
            sys.exit(f"bench: py-spy: {said.strip()}")
    loading.join()


def kinds_of(raw: Path) -> Counter[str]:
    """Samples by the library that was at work, from py-spy's raw stacks; threads that only wait are not in them."""
    kinds: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        kinds[_kind(stack.split(";")[-1])] += int(count)
    return kinds


def _kind(frame: str) -> str:
    """Of `function (some/path.py:12)`."""
    path = frame.rpartition("(")[2].rstrip(")")
    first = path.split("/")[0].removesuffix(".py").split(":")[0]
    if first in ROOMS:
        return "ours"
    if first in ("asyncio", "contextlib", "threading", "weakref", "functools", "uuid", "json", "enum", "typing", ""):
        return "Python's own"
    return first.partition(".")[0]


def _without_paths(picture: Path) -> None:
    """Where this machine keeps its files is nobody's matter."""
    picture.write_text(picture.read_text().replace(f"{ROOT}/", ""))


def spent_table(figures: Mapping[str, Figure], spent: Mapping[str, Counter[str]]) -> str:
    """Microseconds of a core a request, by process."""
    names = [*PROCESSES, "PostgreSQL", "RabbitMQ"]
    lines = [f"| row | /s | {' | '.join(names)} | all |", f"|---|--:|{'--:|' * (len(names) + 1)}"]
    for row, seconds in spent.items():
        each = [1e6 * seconds[name] for name in names]
        cells = [row, f"{figures[row].rate:.0f}", *(f"{part:.0f}" for part in each), f"{sum(each):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def kinds_table(looked: Iterable[Spent]) -> str:
    """Of a process's time, the share of each library."""
    lines = ["| row | process | of its Python |", "|---|---|---|"]
    for row, process, kinds in looked:
        whole = sum(kinds.values()) or 1
        shares = [f"{kind} {100 * count / whole:.0f} %" for kind, count in kinds.most_common(9)]
        lines.append(f"| {row} | {process} | {', '.join(shares)} |")
    return "\n".join(lines)


def profile(stack: Stack, fixture: Mapping[str, Any], args: argparse.Namespace, folder: Path) -> str:
    side = Side("now", fixture)
    figures: dict[str, Figure] = {}
    spent: dict[str, Counter[str]] = {}
    looked: list[Spent] = []
    for row, service in SERVED_BY.items():
        file = folder / "requests.lua"
        chance = random.Random(row)
        file.write_text(lua([ROWS[row](side, chance) for _ in range(DRAWN)]))
        ask(side, file, WARM_UP, args.connections)
        before = used(stack)
        figures[row] = ask(side, file, args.seconds, args.connections)
        after, served = used(stack), figures[row].rate * args.seconds
        spent[row] = Counter({name: (after[name] - before[name]) / served for name in after})

        def load(file: Path = file) -> None:
            ask(side, file, args.seconds + 1, args.connections)

        both = ("gateway", service)
        looked_at(stack, both, args.seconds, load, "-f", "raw", "-o", str(folder / "{}.raw"))
        looked += [Spent(row, name, kinds_of(folder / f"{name}.raw")) for name in both]
        if args.save:
            to = DOCS / f"{row.replace(', ', '-').replace(' ', '-')}-{{}}.svg"
            looked_at(stack, both, args.seconds, load, "-f", "flamegraph", "-o", str(to))
            for name in both:
                _without_paths(Path(str(to).format(name)))
        print(f"bench: {row}", file=sys.stderr, flush=True)
    return f"{spent_table(figures, spent)}\n\n{kinds_table(looked)}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"seconds": 10, "connections": 16}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--save", action="store_true", help="write tables and flame graphs to docs/performance/")
    args = parser.parse_args()
    need_wrk()

    with (
        tempfile.TemporaryDirectory(prefix="bench-profile-") as name,
        seeded_stack(Path(name, "fixture.json"), FAKE_GATEWAY_SUCCESS_RATE="1") as stack,
    ):
        DOCS.mkdir(parents=True, exist_ok=True)
        found = profile(stack, json.loads(Path(name, "fixture.json").read_text()), args, Path(name))
    print(found)
    if args.save:
        (DOCS / "profile.md").write_text(f"# Where a request's time goes\n\nMicroseconds of a core.\n\n{found}")


if __name__ == "__main__":
    main()
