"""What a client may take of a server, and how one is refused that no application has seen."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from shared.ids import new_id


@dataclass(frozen=True)
class Limits:
    """Of every connection to a process. Times in seconds, sizes in bytes."""

    head_time: float = 10
    """From the head's first byte to its last; also what a new connection may take to say anything."""
    head_size: int = 16 * 1024
    body_grace: float = 10
    """What a body may take before its rate counts, and how long it may pause."""
    body_rate: int = 16 * 1024
    """Bytes a second, on the whole."""
    body_size: int = 16 * 2**20
    """More than the gateway passes on and any service takes; of JSON, all is held in memory before it is looked at."""
    linger: float = 2
    """How long what still arrives is thrown away after an early answer, so that the client comes to read it."""
    linger_pace: float = 0.005
    """How long it is not read for after each piece that is thrown away: some 50 MB a second are, at most."""
    drain: int = 256 * 1024
    """What is thrown away of a body after an early answer for the sake of keeping the connection."""
    farewell: float = 1.5
    """Between SIGTERM and the end of a connection on which nothing comes. Longer than our own clients keep an idle one
    (`IDLE`), so that a request of theirs never meets the close halfway, when nobody could say whether it was done."""
    connections: int = 20_000
    """WebSockets and idle ones too. Who comes later is turned away, and nobody else notices, where uvicorn's
    `limit_concurrency` refuses requests of those who are there. At the 60 KB that one takes at most while its head is
    read this is 1.2 GB, and twice the WebSockets that one process is made for."""


IDLE: Final = 1.0
"""Seconds for which a process of ours keeps a connection to another that it does not use."""


class Refusal(NamedTuple):
    status: int
    slug: str
    title: str
    detail: str


def bad_request(detail: str) -> Refusal:
    return Refusal(400, "bad-request", "Bad request", detail)


INVALID: Final = bad_request("This is not valid HTTP/1.1.")
SLOW: Final = Refusal(408, "request-timeout", "Request time-out", "The request took too long to arrive.")
LARGE: Final = Refusal(431, "headers-too-large", "Headers too large", "The headers are too large.")
LARGE_BODY: Final = Refusal(413, "content-too-large", "Content too large", "The body is too large.")
FULL: Final = Refusal(503, "unavailable", "Unavailable for now", "There are too many connections.")
LEAVING: Final = Refusal(503, "unavailable", "Unavailable for now", "This process is being stopped: please try again.")


def answer(refusal: Refusal) -> bytes:
    """The whole of it as it goes on the wire: a problem document, and the end of the connection."""
    problem = {
        "type": refusal.slug,
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": "",
        "request_id": (request_id := str(new_id())),
    }
    body = orjson.dumps(problem)
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "x-request-id": request_id,
        "connection": "close",
    }
    lines = [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body])
