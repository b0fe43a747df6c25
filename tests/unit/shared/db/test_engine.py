"""Sessions that commit no half of a use case."""

from typing import Any

import pytest

from shared.db import after_commit, release
from shared.db.engine import async_url
from shared.messaging.tables import OutboxRow
from tests.support.sessions import unbound_session


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_any_address_of_postgresql_becomes_psycopgs(scheme: str) -> None:
    assert async_url(f"{scheme}://a:b@db/x?host=/tmp") == "postgresql+psycopg://a:b@db/x?host=/tmp"


async def test_a_connection_is_released_before_the_first_write_alone() -> None:
    row: Any = OutboxRow(event_id=None, name="x", envelope="{}", created_at=None)
    with_row, with_event, fresh = (unbound_session() for _ in range(3))
    with_row.add(row)
    after_commit(with_event, lambda: None)

    await release(fresh)
    for written in (with_row, with_event):
        with pytest.raises(RuntimeError, match="half of a use case"):
            await release(written)
