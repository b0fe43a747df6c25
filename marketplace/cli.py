"""The command line: `marketplace --help`. Imports wait until a command needs them, so that help is quick and a
container needs no more than its own service."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from marketplace.errors import CannotStart
from marketplace.registry import SERVICES

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The service marketplace."
)

Url = Annotated[str, typer.Option(help="Address of a running gateway")]
DataFolder = Annotated[Path, typer.Option(help="Folder of the embedded mode's database, secrets, mails, pictures")]


def main() -> None:
    """The console script: a `CannotStart` becomes one line and its exit code."""
    try:
        app()
    except CannotStart as error:
        print(error, file=sys.stderr)
        sys.exit(error.code)
    except ModuleNotFoundError as error:
        # A container's image holds its own service alone; a library that is missing is another matter.
        if (error.name or "").split(".")[0] not in ("marketplace", "services", "gateway"):
            raise
        print(f"This installation does not hold {error.name}, which the command needs.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def run(
    port: Annotated[int, typer.Option(help="Port of the gateway on this machine")] = 8000,
    data: DataFolder = Path("var"),
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
) -> None:
    """Run everything in one process, with a PostgreSQL of its own: nothing else is needed."""
    from marketplace import embedded

    embedded.run(port, data, host)


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help=f"gateway, {', '.join(SERVICES)}")],
    host: Annotated[str, typer.Option(help="Address to listen on")] = "0.0.0.0",  # noqa: S104 - a container's inside
    port: Annotated[int, typer.Option()] = 8000,
) -> None:
    """Run one service, configured by the environment: what a container runs."""
    if name not in ("gateway", *SERVICES):
        raise CannotStart(f"There is no service {name}: gateway, {', '.join(SERVICES)}", 2)
    os.environ.setdefault("ENV", "production")
    from marketplace import serve as process

    process.serve(name, host, port)


@app.command()
def demo(url: Url = "http://localhost:8000") -> None:
    """Play one order's whole journey against a running system; non-zero exit if anything is missing."""
    from marketplace.demo import DemoFailed, play

    try:
        asyncio.run(play(url))
    except DemoFailed as error:
        raise CannotStart(f"Demo failed: {error}") from None


@app.command()
def migrate(
    service: Annotated[str | None, typer.Argument(help="One service, at DATABASE_URL; else all of --data")] = None,
    data: DataFolder = Path("var"),
) -> None:
    """Bring databases to the newest revision."""
    from marketplace.migrate import migrate_embedded, migrate_service

    if service:
        migrate_service(service)
    else:
        migrate_embedded(data)


@app.command()
def revision(
    service: Annotated[str, typer.Argument(help=", ".join(SERVICES))],
    message: Annotated[str, typer.Option(help="What changes, in a few words")],
) -> None:
    """Write a migration from the difference between a service's tables in code and its newest revision."""
    from marketplace.migrate import write_revision

    write_revision(service, message)


@app.command()
def seed_bench(
    out: Annotated[Path, typer.Option(help="Where to write the fixture of the load scripts")],
    url: Url = "http://localhost:8000",
    data: DataFolder = Path("var"),
    database_url: Annotated[
        str | None, typer.Option(help="Instead of --data: postgresql://user:password@host:port/{service}")
    ] = None,
    token_days: Annotated[int, typer.Option(help="Days that the fixture's access tokens live")] = 30,
) -> None:
    """Fill a running system with a benchmark's data. With --database-url, KEYS_SECRET must be in the environment."""
    from marketplace import seed_bench as bench

    if database_url:
        databases = {service: database_url.replace("{service}", service) for service in SERVICES}
        bench.seed_bench(out, url, databases, token_days=token_days)
    else:
        databases = bench.embedded_databases(data)
        bench.seed_bench(out, url, databases, bench.embedded_keys_secret(data), token_days)
