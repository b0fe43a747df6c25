"""The AsyncAPI document of a service: which events it sends and hears, and whatever else it speaks beside HTTP.

Made from the contracts, which the broker's topology is made from too, so it can't say anything else than they do.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from shared.contracts import LISTENERS, Envelope, Event
from shared.messaging.topology import EVENTS

Document = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_ENVELOPE: Final = (
    "Every event travels in the same envelope, and its `data` is the public state of a thing after a change. The "
    "thing's own `version` rises with each one: write if newer. An event may come more than once, with the same `id`. "
    "Ignore fields that you don't know; whatever can't be ignored comes as a new `version` of the event."
)


def asyncapi_document(service: str, description: str, others: Mapping[str, Any] | None = None) -> Document:
    """An AsyncAPI 3.0 document. `others` holds servers, channels, operations and components beside those of events."""
    sent = [event for event in LISTENERS if producer_of(event) == service]
    heard = [event for event, listeners in LISTENERS.items() if service in listeners]
    events = dict.fromkeys([*sent, *heard])
    document: Document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Service Marketplace: events of {service}",
            "version": "1.0",
            "description": f"{description}\n\n{_ENVELOPE}",
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{host}",
                "pathname": "/",
                "protocol": "amqp",
                "description": "RabbitMQ, where `RABBITMQ_URL` says; a system in one process needs none.",
                "variables": {"host": {"default": "localhost:5672"}},
            }
        },
        "channels": {event.event_name: _channel(event) for event in events},
        "operations": {f"send.{event.event_name}": _operation("send", event) for event in sent}
        | {f"receive.{event.event_name}": _operation("receive", event, service) for event in heard},
        "components": {"messages": {_key(event): _message(event) for event in events}, "schemas": _schemas([*events])},
    }
    for part, named in (others or {}).items():
        if part == "components":
            for section, components in named.items():
                document[part][section] |= components
        else:
            document[part] |= named
    return document


def producer_of(event: type[Event]) -> str:
    """An event stands in the file of the service that sends it."""
    return event.__module__.rpartition(".")[2]


def _channel(event: type[Event]) -> Document:
    return {
        "address": event.event_name,
        "description": f"Sent by {producer_of(event)}; heard by {', '.join(LISTENERS[event])}.",
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": {_key(event): {"$ref": f"#/components/messages/{_key(event)}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EVENTS.name, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operation(action: str, event: type[Event], service: str | None = None) -> Document:
    queue = f"By the durable queue `{service}.{event.event_name}`." if service else "Once its change is committed."
    channel = f"#/channels/{event.event_name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "description": queue,
        "messages": [{"$ref": f"{channel}/messages/{_key(event)}"}],
    }


def _message(event: type[Event]) -> Document:
    fields = {
        "name": {"const": event.event_name},
        "version": {"const": event.event_version},
        "producer": {"const": producer_of(event)},
        "data": {"$ref": _SCHEMAS + event.__name__},
    }
    return {
        "name": event.event_name,
        "title": f"{event.event_name}, version {event.event_version}",
        "summary": event.__doc__,
        "contentType": "application/json",
        "correlationId": {"location": "$message.payload#/correlation_id"},
        "payload": {"allOf": [{"$ref": _SCHEMAS + Envelope.__name__}, {"type": "object", "properties": fields}]},
    }


def _key(event: type[Event]) -> str:
    return f"{event.event_name}.v{event.event_version}"


def _schemas(events: list[type[Event]]) -> Document:
    """As they are written: a decimal is a string."""
    models = [(model, "serialization") for model in (Envelope, *events)]
    _, found = models_json_schema(models, ref_template=_SCHEMAS + "{model}")  # type: ignore[arg-type]
    schemas: Document = found["$defs"]
    return schemas
