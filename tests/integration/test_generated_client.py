"""What a front end does: a client is made from the joined document, and an order's journey goes through it alone."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from uuid import uuid4

import httpx
import pytest
from openapi_spec_validator import validate

from marketplace.system import System
from tests.support.people import ALWAYS_PAYS, PASSWORD
from tests.support.waiting import eventually

PACKAGE = "generated_marketplace_client"


@pytest.fixture(scope="module")
async def document(system: System, http: httpx.AsyncClient) -> Any:
    return (await http.get("/api/schema/")).raise_for_status().json()


@pytest.fixture(scope="module")
def generated(document: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The client, importable as `PACKAGE`; what its generator said."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.json").write_text(json.dumps({"post_hooks": []}))
    command = (sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning")
    paths = ("--path", "openapi.json", "--config", "config.json", "--output-path", PACKAGE)
    done = subprocess.run([*command, *paths], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield done.stdout + done.stderr
    sys.path.remove(str(folder))


def api(operation: str) -> Any:
    """`accounts.register` of the generated client: a coroutine function."""
    return importlib.import_module(f"{PACKAGE}.api.{operation}").asyncio


def models() -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.models")


async def registered(address: str, role: str) -> Any:
    """A client of that address, logged in as somebody new."""
    package, m = importlib.import_module(PACKAGE), models()
    options = {"base_url": address, "raise_on_unexpected_status": True, "httpx_args": {"trust_env": False}}
    body = m.RegisterIn(
        email=f"{uuid4()}@example.com", password=PASSWORD, full_name="A reader", role=m.RegisterInRole(role)
    )
    login = await api("accounts.register")(client=package.Client(**options), body=body)
    assert isinstance(login, m.LoginOut), login
    return package.AuthenticatedClient(**options, token=login.access)


def test_the_joined_document_is_valid_and_nobody_is_missing(document: Any) -> None:
    validate(document)
    assert document["x-unavailable"] == []


def test_a_client_is_made_of_the_whole_document_and_nothing_is_left_out(document: Any, generated: str) -> None:
    assert "WARNING" not in generated
    for item in document["paths"].values():
        for operation in item.values():
            assert callable(api(f"{operation['tags'][0]}.{operation['operationId']}"))


async def test_an_orders_whole_journey_goes_through_the_generated_client(system: System, generated: str) -> None:
    m = models()
    client, worker = await registered(system.address, "client"), await registered(system.address, "worker")

    category = (await api("catalog.list_categories")(client=worker)).results[0]
    offer = m.ServiceIn(title="Tap repair", description="Same day.", category_id=category.id, price="150000.00")
    service = await api("catalog.offer_service")(client=worker, body=offer)
    order = await api("orders.create_order")(
        client=client, body=m.OrderIn(service_id=service.id, address="1 Navoi St"), idempotency_key=str(uuid4())
    )
    assert (order.total, order.status) == ("150000.00", m.OrdersStatus.PENDING)
    order = await api("orders.assign_order")(order.id, client=worker, body=m.AssignIn())
    assert order.status is m.OrdersStatus.ASSIGNED
    pay = m.PayIn(method=m.Method.CARD, card=m.CardIn(**ALWAYS_PAYS))
    payment = await api("payments.pay_order")(order.id, client=client, body=pay)
    assert (payment.amount, payment.status) == ("150000.00", m.PaymentsStatus.COMPLETED)
    for status in (m.OrdersStatus.IN_PROGRESS, m.OrdersStatus.COMPLETED):
        order = await api("orders.change_status")(order.id, client=worker, body=m.StatusIn(status=status))
        assert order.status is status

    async def paid() -> bool:
        whole = await api("orders.read_order")(order.id, client=client)
        return whole.payment_status is m.PaymentStatus.PAID and len(whole.history) == 4

    await eventually(paid)

    async def heard() -> set[str]:
        page = await api("notifications.list_notifications")(client=client)
        kinds = {notification.type_.value for notification in page.results}
        return kinds if len(page.results) >= 5 else set()

    assert await eventually(heard) == {"order_created", "order_assigned", "payment_success", "order_status_changed"}
    refused = await api("orders.change_status")(order.id, client=worker, body=m.StatusIn(status=m.OrdersStatus.PENDING))
    assert isinstance(refused, m.Problem)
    assert refused.status == 409
