"""The command line: `marketplace --help`. Imports wait until a command needs them, so that help is quick and a
container needs no more than its own service."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from marketplace.errors import CannotStart
from marketplace.registry import SERVICES

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The service marketplace."
)

Url = Annotated[str, typer.Option(help="Address of a running gateway")]
users = typer.Typer(no_args_is_help=True, help="Look up, ban and let back in.")
app.add_typer(users, name="users")
ledger = typer.Typer(no_args_is_help=True, help="The books of payments.")
app.add_typer(ledger, name="ledger")
payments = typer.Typer(no_args_is_help=True, help="Payments that hang.")
app.add_typer(payments, name="payments")
letters = typer.Typer(no_args_is_help=True, help="Events that a service could not handle.")
app.add_typer(letters, name="dead-letters")
outbox = typer.Typer(no_args_is_help=True, help="Events that services told.")
app.add_typer(outbox, name="outbox")
simulate = typer.Typer(no_args_is_help=True, help="Play a payment provider against a running system.")
app.add_typer(simulate, name="simulate")

Email = Annotated[str, typer.Argument(help="The account's e-mail")]
DataFolder = Annotated[Path, typer.Option(help="Folder of the embedded mode's database, secrets, mails, pictures")]
ServiceHere = Annotated[
    str | None, typer.Argument(metavar="[SERVICE]", help="The one at DATABASE_URL, if this installation holds several")
]


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
    simulate_providers: Annotated[
        bool,
        typer.Option("--simulate-providers", help="Play Payme and Click on pages of this machine"),
    ] = False,
) -> None:
    """Run everything in one process, with a PostgreSQL of its own: nothing else is needed."""
    from marketplace import embedded

    embedded.run(port, data, host, simulate_providers=simulate_providers)


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
    # What prints in colours: httpx for a command line of its own, structlog for tracebacks. Ten megabytes of a process
    # that writes lines of JSON.
    for unused in ("httpx._main", "rich"):
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type]
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
def doctor(
    service: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="gateway, or the one at DATABASE_URL, if it can't be told")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Look whether all that a deployment needs is there and well, and say what to do. Exit 1 if something is wrong."""
    from marketplace.doctor.visit import visit

    visit(data, service, as_json=as_json)


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="A new folder")],
    data: DataFolder = Path("var"),
    secrets: Annotated[bool, typer.Option("--secrets", help="With the secrets, which restoring needs")] = False,
    url: Annotated[
        str | None, typer.Option(help="Instead of --data: a server, as postgresql://postgres@host/postgres; no files")
    ] = None,
) -> None:
    """Save the databases of one moment, then pictures and mails, beside a running system or without."""
    from marketplace import backup as backups

    if url:
        backups.back_up_server(to, url)
    else:
        backups.back_up(to, data, secrets=secrets)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="What `marketplace backup` wrote")],
    data: DataFolder = Path("var"),
) -> None:
    """Bring a backup back into a folder without data, for `marketplace run`."""
    from marketplace import backup as backups

    backups.restore(source, data)


@app.command()
def create_admin(
    email: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option(help="Full name")] = "Administrator",
    data: DataFolder = Path("var"),
) -> None:
    """Make an admin. The password is asked for, or read from a line of stdin; never an argument."""
    from marketplace import accounts

    asked = sys.stdin.isatty()
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if asked else input()
    accounts.make_admin(data, email, name, password)


@app.command()
def rotate_keys(
    now: Annotated[bool, typer.Option("--now", help="The old ones leaked: drop them at once")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Give access tokens a new signing key; no request fails meanwhile."""
    from marketplace import accounts

    accounts.rotate_keys(data, now=now)


@users.command("list")
def list_users(
    role: Annotated[str | None, typer.Option(help="client, worker or admin")] = None,
    search: Annotated[str | None, typer.Option(help="Beginnings of words of name, e-mail or phone")] = None,
    active: Annotated[bool | None, typer.Option("--active/--banned")] = None,
    data: DataFolder = Path("var"),
) -> None:
    """List users, newest first."""
    from marketplace import accounts

    accounts.list_users(data, _role(role) if role else None, search, active)


@users.command()
def ban(email: Email, data: DataFolder = Path("var")) -> None:
    """Close an account: every login of it ends everywhere."""
    from marketplace import accounts

    accounts.change_user(data, email, is_active=False)


@users.command()
def unban(email: Email, data: DataFolder = Path("var")) -> None:
    """Open a closed account again."""
    from marketplace import accounts

    accounts.change_user(data, email, is_active=True)


@users.command()
def set_role(
    email: Email,
    role: Annotated[str, typer.Argument(help="client, worker or admin")],
    data: DataFolder = Path("var"),
) -> None:
    """Give an account another role: it has to log in anew."""
    from marketplace import accounts

    accounts.change_user(data, email, role=_role(role))


def _role(name: str) -> Any:
    from services.accounts.domain import Role

    try:
        return Role(name)
    except ValueError:
        raise CannotStart(f"There is no role {name}: {', '.join(Role)}", 2) from None


@ledger.command("verify")
def verify_ledger(data: DataFolder = Path("var")) -> None:
    """Prove from the rows that the books balance, and agree with every payment; exit 1 with a list of what differs."""
    from marketplace import money

    money.verify_ledger(data)


@payments.command()
def reconcile(data: DataFolder = Path("var")) -> None:
    """Ask providers about payments and refunds without an outcome, and list what waits for a person."""
    from marketplace import money

    money.reconcile(data)


EventId = Annotated[UUID | None, typer.Option("--event", help="One alone, by its id; else all")]


@letters.command("list")
def list_dead_letters(service: ServiceHere = None, data: DataFolder = Path("var")) -> None:
    """List them, oldest first: event id, name, when it came, how often it was tried, why it failed."""
    from marketplace import events

    events.list_dead_letters(data, service)


@letters.command("show")
def show_dead_letter(
    event: Annotated[UUID, typer.Argument()], service: ServiceHere = None, data: DataFolder = Path("var")
) -> None:
    """Print one whole, with its error."""
    from marketplace import events

    events.show_dead_letter(data, service, event)


@letters.command("replay")
def replay_dead_letters(service: ServiceHere = None, event: EventId = None, data: DataFolder = Path("var")) -> None:
    """Let the service try them once more, as if they had just come."""
    from marketplace import events

    events.replay_dead_letters(data, service, event)


@outbox.command("republish")
def republish_outbox(
    service: ServiceHere = None,
    since: Annotated[str, typer.Option(help="As 72h, for which published events are kept")] = "72h",
    restored: Annotated[
        bool, typer.Option("--restored", help="After a restore, before services run: whatever the backup holds")
    ] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Tell again what was published, after the broker lost what it held; inboxes drop repeats."""
    from marketplace import events

    if restored:
        events.tell_restored(data, service)
    else:
        events.tell_again(data, service, since)


PlayOrders = Annotated[
    list[str] | None,
    typer.Option("--order", help="NUMBER:AMOUNT of an unpaid order to play with, repeatable; else the client orders"),
]
ClientEmail = Annotated[str, typer.Option(envvar="SIMULATE_EMAIL", help="The client who orders")]
ClientPassword = Annotated[str, typer.Option(envvar="SIMULATE_PASSWORD")]
Deliveries = Annotated[
    list[str] | None,
    typer.Option("--delivery", help="once, twice, lost, dropped, slow or parallel, repeatable; else each of them"),
]
Pause = Annotated[float, typer.Option(help="Seconds that the second half of a slow call is late")]


@simulate.command("payme")
def simulate_payme(
    key: Annotated[str, typer.Option(envvar=["PAYME_TEST_KEY", "PAYME_KEY"], help="The cash desk's key")],
    url: Url = "http://localhost:8000",
    order: PlayOrders = None,
    email: ClientEmail = "client@example.com",
    password: ClientPassword = "marketplace-demo",  # noqa: S107 - the demo login's
    delivery: Deliveries = None,
    pause: Pause = 1.0,
) -> None:
    """Play Payme's sandbox; one order a delivery. Non-zero exit if any answer differs from the documents."""
    from marketplace.simulators.run import Game, play_payme

    asyncio.run(play_payme(Game(url, order or [], email, password, delivery or [], pause), key))


@simulate.command("click")
def simulate_click(
    service_id: Annotated[int, typer.Option(envvar="CLICK_SERVICE_ID")],
    secret_key: Annotated[str, typer.Option(envvar="CLICK_SECRET_KEY")],
    url: Url = "http://localhost:8000",
    order: PlayOrders = None,
    email: ClientEmail = "client@example.com",
    password: ClientPassword = "marketplace-demo",  # noqa: S107 - the demo login's
    delivery: Deliveries = None,
    pause: Pause = 1.0,
) -> None:
    """Play Click's fifteen cases; three orders a delivery. Non-zero exit if any answer differs from the documents."""
    from marketplace.simulators.run import Game, play_click

    asyncio.run(play_click(Game(url, order or [], email, password, delivery or [], pause), service_id, secret_key))


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
        from marketplace.data_folder import embedded_databases, embedded_secrets

        secret = embedded_secrets(data)["keys_secret"]
        bench.seed_bench(out, url, embedded_databases(data), secret, token_days)
