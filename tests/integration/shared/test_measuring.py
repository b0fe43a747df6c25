"""What waits and what fails, as Prometheus sees it: nothing is counted that did not happen."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import exc

from marketplace.registry import service_settings
from shared.contracts.accounts import UserRegistered
from shared.db import Database, Session
from shared.errors import Unavailable
from shared.messaging import outbox
from shared.messaging.bus import Subscriptions
from shared.messaging.inbox import Inbox
from shared.messaging.measuring import measure
from tests.adapters.platforms import ignore
from tests.integration.conftest import SETTINGS
from tests.integration.shared.test_batches import envelopes
from tests.support.events import someone


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"marketplace_{name}", {"service": "catalog", **labels}) or 0


def counted(outcome: str) -> float:
    return figure("events_total", event="user.registered", outcome=outcome)


@pytest.fixture
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    """Catalog's, with nothing at work on it."""
    database = Database(service_settings("catalog", **SETTINGS, database_url=databases["catalog"]))
    database.session_info |= {"service": "catalog", "hand_over": lambda message: None}
    yield database
    await database.close()


def inbox(database: Database, *, works: bool) -> Inbox:
    async def fail(session: Session, event: UserRegistered) -> None:
        raise RuntimeError("it does not work")

    subscriptions = Subscriptions()
    subscriptions.subscribe(UserRegistered, ignore if works else fail)
    return Inbox("catalog", database, subscriptions, service_settings("catalog", **{**SETTINGS, "retry_delays": "1h"}))


async def test_what_waits_in_outbox_and_inbox_is_measured(database: Database) -> None:
    await measure("catalog", database)
    waiting, kept = figure("outbox_waiting"), {state: figure("inbox_kept", state=state) for state in ("retry", "dead")}
    (later, never) = envelopes(2)

    async with database.session() as session:
        outbox.add(session, UserRegistered(user=someone()))
    await inbox(database, works=False).receive(later)
    await inbox(database, works=True).receive(never.model_copy(update={"data": {"user": "no user"}}))
    await measure("catalog", database)

    assert figure("outbox_waiting") == waiting + 1
    assert figure("outbox_oldest_seconds") > 0
    assert {state: figure("inbox_kept", state=state) - kept[state] for state in kept} == {"retry": 1, "dead": 1}


@pytest.mark.parametrize(("works", "outcome"), [(True, "done"), (False, "retry")])
async def test_an_event_is_counted_once_its_transaction_is_committed(
    database: Database, monkeypatch: pytest.MonkeyPatch, works: bool, outcome: str
) -> None:
    due, before = inbox(database, works=works), counted(outcome)
    await due.store(envelopes(1))

    async def refuse(session: Session) -> None:
        raise exc.OperationalError("COMMIT", None, Exception("the server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", refuse)
        away = figure("db_unavailable_total", reason="database")
        with pytest.raises(Unavailable):
            await due._handle_due()
        assert figure("db_unavailable_total", reason="database") == away + 1
    assert counted(outcome) == before

    assert await due._handle_due()
    assert counted(outcome) == before + 1


async def test_an_exhausted_pool_is_told_from_a_database_that_is_away(databases: dict[str, str]) -> None:
    few = {**SETTINGS, "db_pool_size": 1, "db_pool_timeout": "10ms"}
    database = Database(service_settings("catalog", **few, database_url=databases["catalog"]))
    database.session_info["service"] = "catalog"
    before = figure("db_unavailable_total", reason="pool")

    async with database.session() as only:
        await only.connection()
        with pytest.raises(Unavailable):
            async with database.session() as another:
                await another.connection()
    await database.close()

    assert figure("db_unavailable_total", reason="pool") == before + 1
