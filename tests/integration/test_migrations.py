import pytest

from marketplace.registry import SERVICES, service_metadata
from shared.db.migrations import missing_revisions, pending_changes, upgrade


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_the_tables_of_the_code(service: str, databases: dict[str, str]) -> None:
    pending_changes(service, databases[service], service_metadata(service))


@pytest.mark.parametrize("service", SERVICES)
def test_migrating_again_changes_nothing(service: str, databases: dict[str, str]) -> None:
    upgrade(service, databases[service])

    assert missing_revisions(service, databases[service]) == []
