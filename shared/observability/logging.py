"""One line a thing that happened: JSON for machines, coloured for people, secrets masked in both."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

import orjson
import structlog

from shared.observability.context import current_traceparent, request_id_or_none

MASK = "***"
_SECRET_NAMES = re.compile(
    r"password|secret|token|authorization|cookie|card|cvc|access|refresh|ticket|api_?key", re.IGNORECASE
)
_SECRET_TEXTS = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JSON web token
    r"|(?i:(?<=bearer ))\S+"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"  # login in a URL
    r"|(?s:(?<=input_value=).+?(?=, input_type=))"  # what a pydantic model was given
    r"|(?i:(?<=token=)|(?<=ticket=)|(?<=secret=)|(?<=password=))[^&\s]+"
    # Digits as many as a card's, and no part of a UUID.
    r"|(?<![0-9a-zA-Z])(?<![0-9a-f]{4}-)(?:\d[ -]?){12,18}\d(?![0-9a-zA-Z])(?!-[0-9a-f]{4})"
)

_SUSPICIOUS = re.compile(r"=|://|eyJ|[Rr] |(?:\d[ -]?){6}")
"""In every text that the above finds something in, and in few others: it takes a fifth of the time."""


def redact(value: Any) -> Any:
    """The same value with what looks like a secret masked, by its name in a mapping and by its shape in a text."""
    if isinstance(value, str):
        return _SECRET_TEXTS.sub(MASK, value) if _SUSPICIOUS.search(value) else value
    if isinstance(value, MutableMapping):
        return {k: MASK if _is_secret_name(str(k)) and v else redact(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def said_of(error: BaseException) -> str:
    """What may be kept of an error, in a database or a line: its kind and its text, redacted."""
    said: str = redact(repr(error))
    return said


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    clean: MutableMapping[str, Any] = redact(event)
    return clean


def _add_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if request_id := request_id_or_none():
        event.setdefault("request_id", request_id)
    if traceparent := current_traceparent():
        event.setdefault("trace_id", traceparent.split("-")[1])
    return event


_PROCESSORS: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.ExtraAdder(),
    _add_ids,
    structlog.processors.format_exc_info,
    _redact_event,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(level: str, form: str) -> None:
    """Send the logs of this process, its libraries' too, to standard output. `form` is `json` or `console`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter(form))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Lines of libraries that say again what a line of ours says, or only that all is well; or, as those of websockets
    # with LOG_LEVEL=DEBUG, every message and handshake, with the token in it.
    quiet = ("uvicorn.access", "uvicorn.error", "websockets", "httpx", "aio_pika", "aiormq", "alembic")
    for name in quiet:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    to_handlers = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    structlog.configure(
        processors=[*_PROCESSORS, *([_DirectWriter(handler)] if form == "json" else []), to_handlers],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )


class _DirectWriter:
    """Ends a line's way here where it is for standard output alone: a record of `logging` would take twice its time."""

    def __init__(self, handler: "logging.StreamHandler[TextIO]") -> None:
        self._handler = handler

    def __call__(self, logger: Any, _: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if logger.handlers:
            return event
        line = _json(event) + "\n"
        # As with any handler: what can't be logged must not fail what it tells of.
        with suppress(OSError, ValueError), self._handler.lock or nullcontext():
            self._handler.stream.write(line)
            self._handler.flush()
        raise structlog.DropEvent


def _json(event: MutableMapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def also_log_to(path: Path, name: str) -> None:
    """Append the lines of the logger of that name to a file too, as JSON; one that is moved away is begun anew."""
    handler = WatchedFileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(_formatter("json"))
    logging.getLogger(name).handlers = [handler]


def _formatter(form: str) -> logging.Formatter:
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(pad_event_to=0)
        if form == "console"
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_PROCESSORS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
