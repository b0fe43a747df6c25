"""How catalog and orders answer as they grow.

    python -m bench.growth [--services 10000 1000000] [--orders 10000 10000000] [--curve] [--rounds 40] [--save]

Each is filled in each of the sizes, on a PostgreSQL of its own, and asked over HTTP, one request at a time: the sizes
by turns. What the largest takes is held against the smallest. `--curve` fills sizes between too, and `--save` keeps
tables and plots in docs/performance/. Exits with 1 where a goal is missed.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import zip_longest

from bench import catalog, orders
from bench.filling import Fill, fill_side_by_side, in_haste, restarted_with
from bench.measuring import Figure, measure, table
from bench.saving import DOCS, curves, keep
from shared.http.server import event_loop_factory
from shared.observability.logging import configure_logging
from tests.support.process import NoServer
from tests.support.servers import postgres_server
from tests.support.stack import provisioned_urls

SIZES = {"services": [10_000, 1_000_000], "orders": [10_000, 10_000_000]}
CURVES = {
    "services": [10_000, 100_000, 1_000_000],
    "orders": [10_000, 100_000, 1_000_000, 10_000_000],
}
SERVICES = {"services": ("catalog", catalog), "orders": ("orders", orders)}
"""By what grows in each."""

MEMORY = "2GB"
"""For pages of each PostgreSQL: what its documentation advises for a server with 8 GB. By default it has 128 MB, and
takes all else from the kernel."""


def filled(sizes: Mapping[str, Sequence[int]], servers: ExitStack) -> dict[str, list[str]]:
    """The databases of each of what grows, from the smallest on: those of a place in the lists share a server."""
    urls: dict[str, list[str]] = {what: [] for what in sizes}
    for rows in zip_longest(*sizes.values()):
        server = servers.enter_context(postgres_server(own_process=True))
        restarted_with(server, shared_buffers=MEMORY)
        databases = provisioned_urls(server.admin_url)
        fills: dict[str, Fill] = {}
        for what, count in zip(sizes, rows, strict=True):
            if count is not None:
                name, of = SERVICES[what]
                urls[what].append(databases[name])
                fills[name] = partial(of.fill, databases[name], count)
        with in_haste(server.admin_url):
            took = fill_side_by_side(fills)
        told = ", ".join(f"{count:,} {what}" for what, count in zip(sizes, rows, strict=True) if count is not None)
        print(f"bench: {told}: {took:.0f} s", file=sys.stderr, flush=True)
    return urls


async def measured(urls: Mapping[str, Sequence[str]], rounds: int) -> dict[str, dict[str, Figure]]:
    """What is found of each of what grows."""
    found = {}
    for what, each in urls.items():
        name, of = SERVICES[what]
        found[what] = await measure(name, each, [of.requests(url) for url in each], rounds)
    return found


def save(sizes: Mapping[str, Sequence[int]], found: Mapping[str, Mapping[str, Figure]], text: str) -> None:
    plots = []
    for what, figures in found.items():
        lines = {name: [*zip(sizes[what], figure.times, strict=True)] for name, figure in figures.items()}
        plots.append(f"growth-{what}.svg")
        curves(DOCS / plots[-1], lines, what, "p50, ms", log="xy")
    keep("growth", "Growth", text, *plots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for what in SIZES:
        parser.add_argument(f"--{what}", type=int, nargs="+", metavar="ROWS", help="sizes, the smallest first")
    parser.add_argument("--curve", action="store_true", help="each power of ten where nothing else is said")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--save", action="store_true", help="keep tables and plots")
    args = parser.parse_args()
    sizes = {what: getattr(args, what) or usual for what, usual in (CURVES if args.curve else SIZES).items()}
    configure_logging("ERROR", "console")
    try:
        with ExitStack() as servers:
            urls = filled(sizes, servers)
            with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
                found = runner.run(measured(urls, args.rounds))
    except NoServer as error:
        sys.exit(f"bench: {error}")
    tables = (table((f"{rows:,} {what}" for rows in sizes[what]), figures) for what, figures in found.items())
    print(text := "\n\n".join(tables))
    if args.save:
        save(sizes, found, text)
    if missed := [name for figures in found.values() for name, figure in figures.items() if figure.missed]:
        sys.exit(f"bench: {len(missed)} goals are missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
