"""How catalog and orders answer as they grow.

    python -m bench.growth [--services 10000 1000000] [--orders 10000 10000000] [--rounds 40]

Each is filled small and large, on a PostgreSQL of its own, and asked over HTTP, one request at a time: the small one
and the large one by turns. Exits with 1 where a goal is missed.
"""

import argparse
import asyncio
import sys
from functools import partial

import psycopg

from bench import catalog, orders
from bench.filling import fill_side_by_side, in_haste
from bench.measuring import Figure, measure, print_table
from shared.http.server import event_loop_factory
from shared.observability.logging import configure_logging
from tests.support.postgres import OwnPostgres
from tests.support.process import NoServer
from tests.support.servers import postgres_server
from tests.support.stack import provisioned_urls

SIZES = {"services": (10_000, 1_000_000), "orders": (10_000, 10_000_000)}


MEMORY = "2GB"
"""For pages of each PostgreSQL: what its documentation advises for a server with 8 GB. By default it has 128 MB, and
takes all else from the kernel."""


def give_memory(server: OwnPostgres) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET shared_buffers = '{MEMORY}'")
    server.stop()
    server.start()


async def measured(small: dict[str, str], large: dict[str, str], rounds: int) -> tuple[dict[str, Figure], ...]:
    """What is found of catalog, and of orders."""
    found = []
    for name, of in {"catalog": catalog, "orders": orders}.items():
        urls = small[name], large[name]
        asked = of.requests(urls[0]), of.requests(urls[1])
        found.append(await measure(name, urls, asked, rounds))
    return tuple(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, sizes in SIZES.items():
        parser.add_argument(f"--{name}", type=int, nargs=2, default=sizes, metavar=("SMALL", "LARGE"))
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    configure_logging("ERROR", "console")
    try:
        with postgres_server(own_process=True) as first, postgres_server(own_process=True) as second:
            for server in (first, second):
                give_memory(server)
            small, large = provisioned_urls(first.admin_url), provisioned_urls(second.admin_url)
            with in_haste(second.admin_url):
                for urls, number in ((small, 0), (large, 1)):
                    services, placed = args.services[number], args.orders[number]
                    fills = {
                        "catalog": partial(catalog.fill, urls["catalog"], services),
                        "orders": partial(orders.fill, urls["orders"], placed),
                    }
                    took = fill_side_by_side(fills)
                    print(f"bench: {services:,} services, {placed:,} orders: {took:.0f} s", file=sys.stderr, flush=True)
            with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
                found = runner.run(measured(small, large, args.rounds))
    except NoServer as error:
        sys.exit(f"bench: {error}")
    for (what, sizes), figures in zip({"services": args.services, "orders": args.orders}.items(), found, strict=True):
        print_table((f"{rows:,} {what}" for rows in sizes), figures)
        print()
    if missed := [name for figures in found for name, figure in figures.items() if figure.missed]:
        sys.exit(f"bench: {len(missed)} goals are missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
