"""The WebSocket of notifications, as an AsyncAPI document says it: beside the events, which go between services."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from services.notifications.domain import Type

CLOSE_CODES: Final = {
    1009: "A message of the client is over 4 KiB",
    1012: "The server is being replaced: connect again after a moment of chance length, with `since`",
    1013: "Something is away for now: connect again later",
    4401: "Nobody within 5 s, or a token that is wrong, has ended or was revoked: refresh, and connect again",
    4408: "The client reads too slowly: connect again with `since`",
    4429: "Too many sockets of one user, or more than 10 messages a second",
}
"""Why the server ends a WebSocket, and what to do."""

_DESCRIPTION: Final = """
Who you are is said by whichever way the client can: `Authorization: Bearer`, the subprotocols `bearer, <token>`,
`?ticket=` from `POST /api/notifications/ws-ticket/` (one use, 30 s), `?token=`, or within 5 s the message `auth`, so
that a browser's plain `new WebSocket(url)` works. Its page is of an allowed origin, else the handshake is HTTP 403.

First comes `ready`, then one `notification` after another: `seq` rises by one per user, without gaps, in order. With
`?since=<seq>` what came after that one comes first, so a client keeps the last `seq` and misses nothing. Another `auth`
with a newer token of the same user lets a socket live longer than its first token.
""".strip()


class Auth(BaseModel):
    """Who the client is, or still is."""

    type: Literal["auth"]
    token: str = Field(description="The `access` token of a login")


class Ready(BaseModel):
    """The client is known; what comes next is beyond `since`, or beyond `last_seq`."""

    type: Literal["ready"]
    last_seq: int = Field(description="Of the newest notification there is; 0 without any", examples=[6])


class Notification(BaseModel):
    """Something has happened that concerns the user."""

    id: UUID
    seq: int = Field(description="Rises by one per user, without gaps", examples=[7])
    type: Type = Field(description="Ignore one that you don't know")
    title: str = Field(description="One line for a person", examples=["New order 2026-000003: Leaking tap repair"])
    data: dict[str, Any] = Field(description="What it is about, for an app to make words of its own")
    created_at: datetime


_MODELS: Final[dict[str, type[BaseModel]]] = {"auth": Auth, "ready": Ready, "notification": Notification}
_CHANNEL: Final = "#/channels/live"


def _operation(action: str, *messages: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": _CHANNEL},
        "messages": [{"$ref": f"{_CHANNEL}/messages/{message}"} for message in messages],
    }


_, _schemas = models_json_schema(
    [(model, "serialization") for model in _MODELS.values()], ref_template="#/components/schemas/{model}"
)

CHANNELS: Final[dict[str, Any]] = {
    "servers": {
        "gateway": {
            "host": "{host}",
            "pathname": "/",
            "protocol": "ws",
            "description": "Where the API is; `wss` behind TLS.",
            "variables": {"host": {"default": "localhost:8000"}},
        }
    },
    "channels": {
        "live": {
            "address": "/ws/notifications/",
            "title": "Live notifications",
            "description": _DESCRIPTION,
            "servers": [{"$ref": "#/servers/gateway"}],
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _MODELS},
            "bindings": {
                "ws": {
                    "method": "GET",
                    "query": {
                        "type": "object",
                        "properties": {
                            "since": {"type": "integer", "minimum": 0},
                            "ticket": {"type": "string"},
                            "token": {"type": "string"},
                        },
                    },
                    "bindingVersion": "0.1.0",
                }
            },
            "x-close-codes": {str(code): reason for code, reason in CLOSE_CODES.items()},
        }
    },
    "operations": {
        "send.live": _operation("send", "ready", "notification"),
        "receive.live": _operation("receive", "auth"),
    },
    "components": {
        "messages": {
            name: {
                "name": name,
                "title": name,
                "summary": model.__doc__,
                "contentType": "application/json",
                "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
            }
            for name, model in _MODELS.items()
        },
        "schemas": _schemas["$defs"],
    },
}
