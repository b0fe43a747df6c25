"""Who listens to what, and what an event may say: the table of the contract, written out once more."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

from marketplace.registry import SERVICES
from shared.contracts import LISTENERS, Event
from shared.messaging.bus import Subscriptions
from tests.contract.golden import EVENTS

WHO_LISTENS = {
    "user.registered": {"catalog", "orders", "notifications"},
    "user.updated": {"catalog", "orders", "notifications"},
    "user.erased": {"catalog", "orders", "payments", "notifications"},
    "worker.updated": {"catalog"},
    "session.revoked": {*SERVICES},
    "keys.dropped": {*SERVICES},
    "password.reset_requested": {"notifications"},
    "email.confirmation_requested": {"notifications"},
    "service.updated": {"orders", "accounts"},
    "order.created": {"payments", "notifications"},
    "order.assigned": {"notifications", "payments"},
    "order.status_changed": {"notifications", "payments", "catalog"},
    "order.disputed": {"payments", "notifications"},
    "order.dispute_resolved": {"payments", "notifications"},
    "payment.completed": {"orders", "notifications"},
    "payment.failed": {"notifications"},
    "payment.refunded": {"orders", "notifications"},
    "refund.requested": {"payments"},
}
USER = {"id", "role", "full_name", "is_active", "language", "is_confirmed", "version"}
WORKER = {"id", "full_name", "city", "location", "service_radius_km", "is_available", "skills", "version"}
SERVICE = {
    "id",
    "worker_id",
    "title",
    "category_id",
    "city",
    "price",
    "currency",
    "price_type",
    "status",
    "version",
}
ORDER = {
    "id",
    "number",
    "service_id",
    "service_title",
    "client_id",
    "owner_id",
    "worker_id",
    "status",
    "payment_status",
    "total",
    "currency",
    "version",
}
PAYMENT = {
    "id",
    "order_id",
    "order_number",
    "client_id",
    "owner_id",
    "worker_id",
    "amount",
    "refunded",
    "currency",
    "method",
    "status",
    "version",
}
BY = {"id", "role"}
WHAT_IS_SAID: dict[str, dict[str, set[str]]] = {
    "user.registered": {"user": USER},
    "user.updated": {"user": USER},
    "user.erased": {"user_id": set(), "version": set()},
    "worker.updated": {"worker": WORKER},
    "session.revoked": {"user_id": set(), "sids": set(), "min_ver": set(), "expires_at": set()},
    "keys.dropped": {"kids": set()},
    "password.reset_requested": {"user_id": set(), "request_id": set()},
    "email.confirmation_requested": {"user_id": set(), "request_id": set()},
    "service.updated": {"service": SERVICE},
    "order.created": {"order": ORDER},
    "order.assigned": {"order": ORDER, "by": BY, "previous_worker_id": set()},
    "order.status_changed": {
        "order": ORDER,
        "from": set(),
        "to": set(),
        "by": BY,
        "note": set(),
        "previous_worker_id": set(),
    },
    "order.disputed": {"order": ORDER, "dispute_id": set()},
    "order.dispute_resolved": {"order": ORDER, "dispute_id": set(), "refund_amount": set()},
    "payment.completed": {"payment": PAYMENT},
    "payment.failed": {"payment": PAYMENT, "failure_code": set()},
    "payment.refunded": {"payment": PAYMENT, "refund": {"id", "amount", "reason"}},
    "refund.requested": {"order_id": set(), "payment_id": set(), "reason": set()},
}
OF_NO_THING = {
    "session.revoked",
    "keys.dropped",
    "password.reset_requested",
    "email.confirmation_requested",
    "refund.requested",
}
"""They tell of something that happened, and of no thing that has versions."""
SECRETS = ("password", "card", "token", "email", "phone", "secret", "address", "cvc")


def subscribed(service: str) -> set[str]:
    subscriptions = Subscriptions()
    import_module(f"services.{service}.events").register(subscriptions)
    return subscriptions.names()


def fields(model: type[BaseModel]) -> Iterator[str]:
    """Names, as they go over the wire, of a model's fields and of those within them."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_handles_exactly_what_the_broker_brings_it(service: str) -> None:
    brought = {event.event_name for event, services in LISTENERS.items() if service in services}
    assert subscribed(service) == brought


def test_those_listen_whom_the_contract_names() -> None:
    listening = {(event.event_name, service) for event, services in LISTENERS.items() for service in services}
    promised = {(name, service) for name, services in WHO_LISTENS.items() for service in services}

    assert listening == promised


def test_no_service_is_brought_an_event_twice() -> None:
    assert all(len({*services}) == len(services) for services in LISTENERS.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_an_event_says_what_the_contract_lists_and_no_more(event: type[Event]) -> None:
    schema = event.model_json_schema(by_alias=True)
    parts = schema.get("$defs", {})
    said = {
        name: {*parts[field["$ref"].rsplit("/", 1)[1]]["properties"]} if "$ref" in field else set()
        for name, field in schema["properties"].items()
    }
    assert said == WHAT_IS_SAID[event.event_name]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_no_event_carries_a_secret_or_a_way_to_reach_a_person(event: type[Event]) -> None:
    assert not [name for name in fields(event) for secret in SECRETS if secret in name.lower()]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_an_event_carries_the_version_of_its_thing(event: type[Event]) -> None:
    assert ("version" in fields(event)) is (event.event_name not in OF_NO_THING)


def test_names_and_versions_of_events_are_unique() -> None:
    assert len({(event.event_name, event.event_version) for event in EVENTS}) == len(EVENTS)
