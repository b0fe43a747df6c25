"""Migrations by hand: deployed services, the embedded databases, and new revisions."""

import tempfile
from pathlib import Path

from marketplace.data_folder import data_folder
from marketplace.databases import check_access, provision
from marketplace.errors import CannotStart
from marketplace.registry import SERVICES, known, service_metadata, service_settings
from shared.db import migrations


def migrate_service(service: str) -> None:
    """Upgrade the database of the service's DATABASE_URL: the one-shot step before a deployed service starts."""
    known(service)
    url = service_settings(service).database_url
    check_access(service, url)
    try:
        migrations.upgrade(service, url)
    except migrations.TablesBusy as error:
        raise CannotStart(f"{service}: a long transaction is in the way of a migration: {error}") from None
    print(f"{service}: up to date")


def migrate_embedded(data: Path) -> None:
    from marketplace.postgres import EmbeddedPostgres

    with data_folder(data):
        postgres = EmbeddedPostgres(data / "postgres")
        try:
            provision(postgres.url("postgres"))
            for service in SERVICES:
                migrations.upgrade(service, postgres.url(service, user=service))
                print(f"{service}: up to date")
        finally:
            postgres.stop()


def write_revision(service: str, message: str) -> None:
    """Against a throw-away database, so that it can't depend on what someone's own happens to hold."""
    from marketplace.postgres import EmbeddedPostgres

    known(service)
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            provision(postgres.url("postgres"))
            url = postgres.url(service, user=service)
            migrations.upgrade(service, url)
            migrations.revision(service, url, message, service_metadata(service))
        finally:
            postgres.stop()
