"""The SQL that is sent to PostgreSQL, whoever sends it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from psycopg import AsyncCursor

Sent = list[tuple[str, Any]]
"""Statements with their values."""


@contextmanager
def sent() -> Iterator[Sent]:
    """What is sent meanwhile, by any connection of asyncio's."""
    found: Sent = []
    execute = AsyncCursor.execute

    async def noting(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        found.append((str(query), params))
        return await execute(self, query, params, **options)

    with patch.object(AsyncCursor, "execute", noting):
        yield found
