"""What was offered or agreed a moment ago is never refused, although the events that tell of it have not come yet."""

from collections.abc import Sequence

import httpx
import pytest

from marketplace.system import System
from shared.messaging.bus import OutgoingMessage
from shared.messaging.local import LocalBus
from tests.support.people import Person, expect, register


class Held(ConnectionError):
    """The bus takes nothing."""


@pytest.fixture
def no_events(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events stay in the outboxes for as long as the test goes on."""

    async def take_nothing(bus: LocalBus, messages: Sequence[OutgoingMessage]) -> set[str]:
        raise Held

    monkeypatch.setattr(LocalBus, "publish", take_nothing)


@pytest.mark.usefixtures("no_events")
async def test_nobody_is_refused_for_a_copy_that_lags(http: httpx.AsyncClient, admin: Person) -> None:
    client, worker = await register(http, "client"), await register(http, "worker")
    service = await worker.offer()
    assert service["worker_name"] == "A worker"

    order = await client.order(service["id"])
    expect(await worker.accept(order["id"]), 200)
    payment = expect(await client.pay(order["id"]), 201)

    assert payment["status"] == "completed"
    assert payment["amount"] == order["total"]

    another = await client.order(service["id"])
    newcomer = await register(http, "worker")
    path = f"/api/orders/{another['id']}/assign/"
    assert expect(await admin.post(path, {"worker_id": newcomer.id}), 200)["worker_id"] == newcomer.id


@pytest.mark.usefixtures("no_events")
async def test_an_owner_that_is_away_leaves_the_copy_to_decide(
    http: httpx.AsyncClient, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, worker = await register(http, "client"), await register(http, "worker")
    service = await worker.offer()
    first = await client.order(service["id"])  # brings orders' copy of the service along
    await client.pay(first["id"])
    for service_name in ("orders", "payments"):
        internal = system.apps[service_name].state.platform.internal
        monkeypatch.setattr(internal, "_urls", dict.fromkeys(("accounts", "catalog", "orders"), "http://127.0.0.1:9"))

    second = await client.order(service["id"])
    unknown = await client.pay(second["id"])

    assert second["total"] == first["total"]
    # Neither a copy nor its owner: to say that there is no such order would be a falsehood.
    assert unknown.status_code == 503
    assert unknown.headers["retry-after"] == "1"
