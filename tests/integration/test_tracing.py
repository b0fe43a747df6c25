"""One order as a trace shows it, from the gateway to the socket that rings."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from marketplace.system import System, serving
from shared.http.server import listen
from shared.observability.tracing import exporting
from tests.integration.conftest import SETTINGS
from tests.support.collector import Collector, Span, collecting
from tests.support.people import Person, expect
from tests.support.waiting import eventually

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def system(databases: dict[str, str], collector: Collector) -> AsyncIterator[System]:
    with pytest.MonkeyPatch.context() as patch, listen("127.0.0.1", 0) as public:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        patch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")
        with exporting(collector.address):
            async with serving(public, databases.__getitem__, SETTINGS) as running:
                yield running


async def order_as(client: Person, service: dict[str, Any], **headers: str) -> dict[str, Any]:
    body = {"service_id": service["id"], "address": "Amir Temur 1", "contact_phone": "+998901234567"}
    answer = await client.http.post("/api/orders/create/", json=body, headers={**client.headers, **headers})
    order: dict[str, Any] = expect(answer, 201)
    return order


async def spans_of(collector: Collector, trace_id: str, *names: str) -> list[Span]:
    """Of that trace, once all of these have arrived."""

    async def there() -> bool:
        return {*names} <= {f"{span.service} {span.name}" for span in collector.of(trace_id)}

    await eventually(there)
    return collector.of(trace_id)


async def test_an_order_is_one_trace_from_the_gateway_to_the_socket(
    system: System, collector: Collector, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    address = system.address.replace("http", "ws", 1) + "/ws/notifications/"
    async with connect(address, proxy=None, additional_headers=worker.headers) as socket:
        await socket.recv()
        order = await order_as(client, service, traceparent=TRACEPARENT, **{"x-request-id": "a-trace"})
        told = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert told["data"]["order_id"] == order["id"]

    found = await spans_of(collector, TRACE, "notifications send notification", "payments process order.created")
    by_name = {(span.service, span.name): span for span in found}
    at_gateway = by_name["gateway", "POST /api/orders/"]
    at_orders = by_name["orders", "POST /api/orders/create/"]
    sent = by_name["orders", "send order.created"]
    told_to = [by_name[service, "process order.created"] for service in ("payments", "notifications")]
    rung = by_name["notifications", "send notification"]

    assert at_gateway.parent == CALLER
    assert at_orders.parent == at_gateway.id
    assert {span.parent for span in (sent, *told_to)} == {at_orders.id}
    assert rung.parent == told_to[1].id
    assert [span.kind for span in (at_gateway, at_orders, sent, told_to[0], rung)] == [
        "SERVER", "SERVER", "PRODUCER", "CONSUMER", "PRODUCER"
    ]  # fmt: skip
    assert at_gateway.began <= at_orders.began <= sent.began <= told_to[1].began <= rung.began <= rung.ended
    assert not any(span.failed for span in found)


async def test_a_span_names_its_request_and_nothing_that_people_wrote(
    system: System, collector: Collector, client: Person, worker: Person
) -> None:
    trace = TRACE[::-1]
    service = await worker.offer()
    await order_as(client, service, traceparent=f"00-{trace}-{CALLER}-01")

    found = await spans_of(collector, trace, "gateway POST /api/orders/", "orders send order.created")
    attributes = next(span.attributes for span in found if span.name == "POST /api/orders/create/")
    assert attributes.pop("marketplace.request_id")
    assert attributes == {
        "http.request.method": "POST",
        "http.route": "/api/orders/create/",
        "url.path": "/api/orders/create/",
        "http.response.status_code": 201,
    }
    event = next(span.attributes for span in found if span.name == "send order.created")
    assert event["messaging.destination.name"] == "order.created"
    said = repr(found)
    assert not any(written in said for written in ("Amir Temur", "+998901234567", client.login["access"]))


async def test_what_follows_an_event_stands_under_its_handling(
    system: System, collector: Collector, client: Person, worker: Person, admin: Person
) -> None:
    trace = "1" * 32
    await order_as(client, await worker.offer())
    headers = {**admin.headers, "traceparent": f"00-{trace}-{CALLER}-01"}
    expect(await admin.http.patch(f"/api/users/{client.id}/", json={"is_active": False}, headers=headers), 200)

    cancelled = "order.status_changed"
    found = await spans_of(collector, trace, f"orders send {cancelled}", f"notifications process {cancelled}")
    (heard,) = [span for span in found if (span.service, span.name) == ("orders", "process user.updated")]
    assert {span.parent for span in found if span.name.endswith(cancelled)} == {heard.id}
    assert {span.parent for span in found} <= {CALLER, *(span.id for span in found)}, "all hangs together"


async def test_who_names_no_trace_or_a_malformed_one_gets_a_new_one(
    system: System, collector: Collector, client: Person
) -> None:
    for traceparent in ("00-" + "0" * 32 + f"-{CALLER}-01", f"00-{TRACE}-short-01", f"ff-{TRACE}-{CALLER}-01"):
        await client.http.get("/api/orders/", headers={**client.headers, "traceparent": traceparent})

    async def there() -> bool:
        return sum(span.name == "GET /api/orders/" and span.service == "orders" for span in collector.spans) >= 3

    await eventually(there)
    roots = [span for span in collector.spans if span.name == "GET /api/orders/" and span.service == "gateway"]
    assert [span.parent for span in roots] == [""] * len(roots)
    assert len({span.trace_id for span in roots}) == len(roots)


async def test_an_error_of_ours_marks_its_spans(
    system: System, collector: Collector, client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret text")

    monkeypatch.setattr("services.orders.repo.orders.orders", broken)
    trace = "2" * 32
    headers = {**client.headers, "traceparent": f"00-{trace}-{CALLER}-01"}
    answer = await client.http.get("/api/orders/", headers=headers)
    assert answer.status_code == 500

    found = await spans_of(collector, trace, "gateway GET /api/orders/", "orders GET /api/orders/")
    assert {(span.failed, span.attributes["error.type"]) for span in found} == {(True, "500")}
    assert "a secret text" not in repr(found)


async def test_an_unsampled_trace_goes_on_unseen(system: System, collector: Collector, client: Person) -> None:
    trace, seen = "3" * 32, "4" * 32
    for one, flags in ((trace, "00"), (seen, "01")):
        headers = {**client.headers, "traceparent": f"00-{one}-{CALLER}-{flags}"}
        assert (await client.http.get("/api/users/me/", headers=headers)).is_success

    await spans_of(collector, seen, "accounts GET /api/users/me/")
    assert collector.of(trace) == []


OFF = """
import sys
from services.orders.app import create_app
from gateway.app import create_app
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
"""


def test_nothing_of_it_is_imported_where_nothing_is_traced() -> None:
    subprocess.run([sys.executable, "-c", OFF], check=True, timeout=60)
