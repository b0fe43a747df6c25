"""Sessions and users whose access tokens no longer hold, although they are signed and have not ended.

Accounts tells by `session.revoked`. Each service keeps what it heard in a table of its own and in the memory of each
instance: the table by the durable queue, the memories by a note to all instances, and by reading the table at the
start, after every gap in the notes, and every few seconds, so that a lost note only delays.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, col, select

from shared.auth.tokens import Claims
from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts.accounts import SessionRevoked
from shared.db import Database, Session, after_commit
from shared.db.base import PlatformBase, TimeField, utcnow
from shared.messaging.bus import Bus, Note

NOTE = "revoked"
ANY_VERSION = 2**31 - 1
OVERLAP = timedelta(minutes=1)
"""Longer than any transaction: a row that committed late is still met by the reading after it."""

log = structlog.get_logger()


class Revocation(PlatformBase, table=True):
    __tablename__ = "revocations"

    subject: UUID = Field(primary_key=True)
    """A session's id, or a user's."""
    user_id: UUID
    min_ver: int
    """Tokens of the subject with a lower `ver` are refused."""
    expires_at: datetime = TimeField()
    noted_at: datetime = TimeField(sa_column_kwargs={"server_default": func.now()})


class _Limit(NamedTuple):
    min_ver: int
    expires_at: datetime


class Revocations:
    """What this instance knows. Asked at each use of a token, so it is a dictionary and no table."""

    def __init__(self, database: Database, bus: Bus, settings: ServiceSettings) -> None:
        self._database, self._bus = database, bus
        self._every = settings.revocation_sweep.total_seconds()
        self._limits: dict[UUID, _Limit] = {}
        self._read_until: datetime | None = None
        self._gap = asyncio.Event()
        self._callbacks: list[Callable[[UUID], None]] = []
        bus.listen(NOTE, self._hear)
        bus.on_gap(self._gap.set)

    @property
    def known(self) -> bool:
        """Whether the table has been read."""
        return self._read_until is not None

    def refuses(self, claims: Claims) -> bool:
        """Whether the token's session or user was revoked after it was made."""
        if not self._limits:
            return False
        limits = (self._limits.get(claims.session_id), self._limits.get(claims.user_id))
        return any(limit is not None and claims.user_version < limit.min_ver for limit in limits)

    def on_change(self, callback: Callable[[UUID], None]) -> None:
        """Call `callback` with a user's id when something of theirs is revoked."""
        self._callbacks.append(callback)

    async def tell(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Let every instance of this service know of rows that were written."""
        keys = ("subject", "user_id", "expires_at")
        note = [{**{key: str(row[key]) for key in keys}, "min_ver": row["min_ver"]} for row in rows]
        await self._bus.broadcast(NOTE, {"rows": note})

    def _hear(self, note: Note) -> None:
        for row in note["rows"]:
            expires_at = datetime.fromisoformat(row["expires_at"])
            self._learn(UUID(row["subject"]), UUID(row["user_id"]), row["min_ver"], expires_at)

    def _learn(self, subject: UUID, user_id: UUID, min_ver: int, expires_at: datetime) -> None:
        known = self._limits.get(subject, _Limit(min_ver, expires_at))
        highest = _Limit(max(known.min_ver, min_ver), max(known.expires_at, expires_at))
        if self._limits.get(subject) == highest:
            return
        self._limits[subject] = highest
        for callback in self._callbacks:
            callback(user_id)

    async def keep(self) -> None:
        """Read the table every few seconds and after each gap, until cancelled."""
        while True:
            self._gap.clear()
            try:
                await self.read()
            except Exception as error:
                log.warning("revocations_not_read", error=repr(error))
            await woken(self._gap, self._every)

    async def read(self) -> None:
        """Learn what was written to the table since the last reading, and forget what has ended by itself."""
        now = utcnow()
        rows = select(Revocation).where(col(Revocation.expires_at) > now)
        if self._read_until is not None:
            rows = rows.where(col(Revocation.noted_at) > self._read_until - OVERLAP)
        async with self._database.session() as session:
            await session.exec(delete(Revocation).where(col(Revocation.expires_at) <= now))
            found = (await session.exec(rows)).all()
        for row in found:
            self._learn(row.subject, row.user_id, row.min_ver, row.expires_at)
        self._limits = {subject: limit for subject, limit in self._limits.items() if limit.expires_at > now}
        self._read_until = now


async def keep_revocation(session: Session, event: SessionRevoked) -> None:
    """Handle `session.revoked`: write it down, and let every instance of the service know."""
    sessions = [(sid, ANY_VERSION) for sid in event.sids or ()]
    limits = [(event.user_id, event.min_ver)] if event.sids is None else sessions
    rows = [
        {"subject": subject, "user_id": event.user_id, "min_ver": min_ver, "expires_at": event.expires_at}
        for subject, min_ver in limits
    ]
    if not rows:
        return
    keep = insert(Revocation).values(rows)
    table: Any = Revocation
    highest = {name: func.greatest(getattr(table, name), keep.excluded[name]) for name in ("min_ver", "expires_at")}
    await session.exec(keep.on_conflict_do_update(index_elements=["subject"], set_={**highest, "noted_at": func.now()}))
    revocations: Revocations = session.info["revocations"]
    after_commit(session, partial(revocations.tell, rows))
