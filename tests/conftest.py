"""What all tests log by."""

import structlog


def pytest_configure() -> None:
    """Errors are logged with plain tracebacks.

    Where `rich` is installed, as it is beside tests, structlog's default also shows the variables of every frame. Of a
    whole system in one process that takes ten seconds, in which its event loop stands still.
    """
    processors = structlog.get_config()["processors"][:-1]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, plain])
