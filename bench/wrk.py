"""wrk, with its report as figures."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPORT = HERE / "report.lua"


def need_wrk() -> None:
    """Exit with one line where it is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("bench: wrk is missing: apt-get install wrk")


def run_wrk(
    url: str, seconds: int, connections: int, *options: str, script: Path = REPORT, **environment: str
) -> dict[str, float]:
    """Load on one thread; `rate` a second, `p50` and `p99` in milliseconds, and how many `failed`."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(script), *options, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment})
    figures: dict[str, float] = json.loads(done.stdout.rpartition("RESULT ")[2])
    return figures
