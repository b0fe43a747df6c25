"""A test that configures logging leaves no trace of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def logging_restored() -> Iterator[None]:
    """Logging is configured after it as it was before."""
    root = logging.getLogger()
    handlers, level, config = [*root.handlers], root.level, structlog.get_config()
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.configure(**config)
