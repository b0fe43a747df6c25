"""The AsyncAPI documents say of events what the contracts do, and of the WebSocket what it does."""

from collections.abc import Iterator
from typing import Any

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from jsonschema import Draft202012Validator

from marketplace.registry import SERVICES
from services.notifications.asyncapi import CLOSE_CODES
from services.notifications.domain import CloseCode
from shared.contracts import LISTENERS, Event
from shared.messaging.asyncapi import producer_of
from tests.contract.apps import asyncapi_of
from tests.contract.golden import EVENTS, golden


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def payload(document: Any, message: str) -> Draft202012Validator:
    """What a message has to be; its references lead into the document."""
    components = document["components"]
    return Draft202012Validator({**components["messages"][message]["payload"], "components": components})


@pytest.mark.parametrize("service", SERVICES)
def test_a_document_is_one_of_asyncapi_3_and_every_reference_in_it_leads_somewhere(service: str) -> None:
    document = asyncapi_of(service)

    ApplicationSchema.model_validate(document)
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found, reference


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sends_what_it_produces_and_receives_what_it_listens_to(service: str) -> None:
    operations = asyncapi_of(service)["operations"]

    sent = {f"send.{event.event_name}" for event in LISTENERS if producer_of(event) == service}
    heard = {f"receive.{event.event_name}" for event, listeners in LISTENERS.items() if service in listeners}
    assert {name for name in operations if not name.endswith(".live")} == sent | heard
    assert all(operation["action"] == name.partition(".")[0] for name, operation in operations.items())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_a_message_as_it_is_sent_is_what_the_document_says_and_another_is_not(event: type[Event]) -> None:
    sample = golden(event)
    for service in {producer_of(event), *LISTENERS[event]}:
        message = payload(asyncapi_of(service), f"{event.event_name}.v{event.event_version}")
        message.validate(sample)
        assert not message.is_valid(sample | {"name": "other"})
        assert not message.is_valid(sample | {"data": {}})


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_the_producer_of_an_event_is_whom_its_sample_names(event: type[Event]) -> None:
    assert producer_of(event) == golden(event)["producer"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event_name)
def test_an_event_says_in_a_sentence_when_it_happens(event: type[Event]) -> None:
    summary = asyncapi_of(producer_of(event))["components"]["messages"][f"{event.event_name}.v1"]["summary"]
    assert summary.endswith(".")


def test_every_code_that_a_websocket_is_closed_with_is_explained() -> None:
    codes = {code for name, code in vars(CloseCode).items() if name.isupper()}

    assert codes <= CLOSE_CODES.keys()
    assert asyncapi_of("notifications")["channels"]["live"]["x-close-codes"].keys() == {*map(str, CLOSE_CODES)}
