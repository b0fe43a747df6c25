"""Sessions for tests of what happens before a database is asked."""

from typing import Any

from shared.db import Session


def unbound_session(**info: Any) -> Session:
    """One of no database: whatever it were to ask one would fail."""
    nowhere: Any = None
    return Session(nowhere, info)
