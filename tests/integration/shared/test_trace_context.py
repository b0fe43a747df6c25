"""A caller's place in a trace, where nothing is traced here."""

import json

import pytest
from sqlmodel import col, select

from marketplace.system import System
from shared.messaging.tables import OutboxRow
from tests.support.people import Person, expect

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(("traceparent", "kept"), [(TRACEPARENT, TRACEPARENT), ("nonsense", None)])
async def test_a_callers_trace_reaches_the_events(
    system: System, client: Person, worker: Person, traceparent: str, kept: str | None
) -> None:
    body = {"service_id": (await worker.offer())["id"], "address": "1 Navoi St"}
    headers = {**client.headers, "traceparent": traceparent}
    order = expect(await client.http.post("/api/orders/create/", json=body, headers=headers), 201)

    async with system.apps["orders"].state.platform.database.session() as session:
        created = select(OutboxRow.envelope).where(
            OutboxRow.name == "order.created", col(OutboxRow.envelope).contains(order["id"])
        )
        (envelope,) = (await session.exec(created)).all()
    assert json.loads(envelope)["traceparent"] == kept
