"""Which categories a slug or an id stands for: catalog's to say, remembered here for a while."""

import time
from urllib.parse import quote
from uuid import UUID

from shared.db import Session, release
from shared.http.internal import InternalClient, OwnerAway

FRESH_FOR = 60.0
ASK_AGAIN_AFTER = 5.0
"""Seconds that an old answer serves before a catalog that is away is asked again."""
MOST = 1000
"""Answers that are kept: anyone can ask for anything."""


class Categories:
    """One for each instance of the service."""

    def __init__(self, internal: InternalClient) -> None:
        self._internal = internal
        self._known: dict[str, tuple[list[UUID], float]] = {}

    async def ids(self, session: Session, slug_or_id: str) -> list[UUID]:
        """The category's and its children's; none for one that catalog does not know.

        Raises `OwnerAway` where catalog is, and has not been asked before.
        """
        known = self._known.get(slug_or_id)
        if known and known[1] > time.monotonic():
            return known[0]
        await release(session)
        try:
            return self._keep(slug_or_id, await self._ask(slug_or_id), FRESH_FOR)
        except OwnerAway:
            if known is None:
                raise
            return self._keep(slug_or_id, known[0], ASK_AGAIN_AFTER)

    async def _ask(self, slug_or_id: str) -> list[UUID]:
        if slug_or_id.strip(".") == "":
            return []  # quoting leaves dots alone, and a client on the way would resolve them
        found = await self._internal.find("catalog", f"/internal/categories/{quote(slug_or_id, safe='')}/")
        return [UUID(id_) for id_ in found["ids"]] if found else []

    def _keep(self, slug_or_id: str, ids: list[UUID], seconds: float) -> list[UUID]:
        self._known.pop(slug_or_id, None)
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[slug_or_id] = (ids, time.monotonic() + seconds)
        return ids
