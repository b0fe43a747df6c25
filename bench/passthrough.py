"""What the gateway costs: a catalog list direct from the service, through the gateway, through nginx beside it, and as
the gateway keeps it for the second for which it may.

    python -m bench.passthrough [--rounds 5] [--seconds 5] [--connections 16]

Measured in alternation on one seeded system, with wrk on one thread: a machine that is busy for a while is so for all.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import httpx

from bench.nginx import nginx
from bench.stack import seeded_stack
from bench.wrk import need_wrk, run_wrk

PATH = "/api/services/"
WARM_UP = 2
"""Seconds."""
PAST_THE_CACHE = ("-H", "Cache-Control: no-store")

# Nothing else than to pass on, over connections that stay open.
NGINX_HTTP = """
  proxy_max_temp_file_size 0;
  upstream catalog {{ server {upstream}; keepalive {connections}; }}
"""
NGINX_SERVER = """
    location / { proxy_pass http://catalog; proxy_http_version 1.1; proxy_set_header Connection ""; }
"""


def passing_on(upstream: str, connections: int) -> str:
    return NGINX_HTTP.format(upstream=upstream.removeprefix("http://"), connections=connections)


def await_list(address: str) -> None:
    """Wait until `address` answers as it should, so that what is measured is no refusal. Raises `SystemExit`."""
    problem = "silent"
    for _ in range(50):
        try:
            answer = httpx.get(address + PATH, trust_env=False)
            if answer.is_success and len(answer.json()["results"]) == 20:
                return
            problem = f"answering {answer.status_code}: {answer.text[:300]}"
        except httpx.HTTPError as error:
            problem = repr(error)
        time.sleep(0.1)
    sys.exit(f"bench: {address}{PATH} is {problem}")


def wrk(address: str, seconds: int, connections: int, *options: str) -> dict[str, float]:
    """Of the list."""
    return run_wrk(address + PATH, seconds, connections, *options)


def table(measured: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Medians of the rounds, and the slowest and fastest of them. The first row is what the others are measured by."""

    def middle(name: str, figure: str) -> float:
        return median(round_[figure] for round_ in measured[name])

    lines = [
        "| list of 20 | req/s | slowest – fastest | of direct | p50 ms | p99 ms | failed |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    direct = middle(next(iter(measured)), "rate")
    for name, rounds in measured.items():
        rates = [round_["rate"] for round_ in rounds]
        cells = [
            name,
            f"{median(rates):.0f}",
            f"{min(rates):.0f} – {max(rates):.0f}",
            f"{median(rates) / direct:.2f}",
            f"{middle(name, 'p50'):.1f}",
            f"{middle(name, 'p99'):.1f}",
            f"{sum(round_['failed'] for round_ in rounds):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"rounds": 5, "seconds": 5, "connections": 16}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    need_wrk()

    with (
        tempfile.TemporaryDirectory() as folder,
        seeded_stack(Path(folder, "fixture.json")) as stack,
        nginx(NGINX_SERVER, passing_on(stack.address("catalog"), args.connections)) as beside,
    ):
        ways: dict[str, tuple[str, Sequence[str]]] = {
            "direct to catalog": (stack.address("catalog"), PAST_THE_CACHE),
            "through the gateway": (stack.url, PAST_THE_CACHE),
            "kept at the gateway": (stack.url, ()),
        }
        if beside:
            ways["through nginx"] = (beside, PAST_THE_CACHE)
        for address, options in ways.values():
            await_list(address)
            wrk(address, WARM_UP, args.connections, *options)
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for _ in range(args.rounds):
            for name, (address, options) in ways.items():
                measured[name].append(wrk(address, args.seconds, args.connections, *options))

    print(f"GET {PATH}, {args.connections} connections, medians of {args.rounds} rounds of {args.seconds} s:\n")
    print(table(measured))
    if not beside:
        print("| through nginx | not installed: apt-get install nginx-light | | | | | |")


if __name__ == "__main__":
    main()
