"""The whole system, a process a service with PostgreSQL and RabbitMQ of its own, filled with the benchmark's data.

    python -m bench.stack --out FILE

runs until Ctrl-C, for load scripts that read FILE. Payments always succeed, so that a run can be repeated.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marketplace.errors import CannotStart
from marketplace.seed_bench import seed_bench
from tests.support.process import NoServer
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack


@contextmanager
def seeded_stack(fixture: Path, **settings: str) -> Iterator[Stack]:
    """Everything started, seeded and settled; ended and gone afterwards. Exits with one line where it can't be had."""
    # SIGTERM too must pass through the ends of the blocks below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        # Servers of our own, also where a test would take others: nobody's are filled, and nobody's work is measured.
        with (
            postgres_server(own_process=True) as postgres,
            rabbitmq_server(own_process=True) as rabbitmq,
            Stack(postgres.admin_url, rabbitmq.url, **settings) as stack,
        ):
            stack.start()
            seed_bench(fixture, stack.url, stack.databases, stack.environment("accounts")["KEYS_SECRET"])
            yield stack
    except (NoServer, CannotStart) as error:
        sys.exit(f"bench: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write the fixture")
    args = parser.parse_args()
    with seeded_stack(args.out, FAKE_GATEWAY_SUCCESS_RATE="1") as stack:
        print(f"{stack.url} serves, its logs are in {stack.folder}. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
