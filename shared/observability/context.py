"""What a line of log or an event knows of the request that caused it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.ids import new_id

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def current_request_id() -> str:
    """The id of the request, or of the event, that is being worked on; a new one where there is none (a timer)."""
    return _request_id.get() or str(new_id())


def request_id_or_none() -> str | None:
    return _request_id.get()


def set_request_id(value: str | None) -> str:
    """Take over a caller's id if it is harmless to print, else make one. Returns what is now the id."""
    request_id = value if value and _ACCEPTABLE.fullmatch(value) else str(new_id())
    _request_id.set(request_id)
    return request_id


def parse_traceparent(value: str | None) -> str | None:
    """A caller's place in a trace, as W3C's Trace Context writes it; None of anything else."""
    return value if value and _TRACEPARENT.fullmatch(value) else None


def current_traceparent() -> str | None:
    """Where what is being worked on stands in its trace, if it is part of one."""
    return _traceparent.get()


@contextmanager
def in_trace(traceparent: str | None) -> Iterator[None]:
    """What happens meanwhile stands there."""
    before = _traceparent.set(traceparent)
    try:
        yield
    finally:
        _traceparent.reset(before)
