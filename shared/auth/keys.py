"""Accounts' public keys (a JSON Web Key Set, RFC 7517), kept by every service: accounts is on no one's hot path."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import httpx
import structlog
from sqlalchemy import Column, delete
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, select

from shared.auth.tokens import JwkSet, PublicKey, invalid_token, public_keys
from shared.background import woken
from shared.config import ServiceSettings
from shared.contracts.accounts import KeysDropped
from shared.db import Database, Session, after_commit
from shared.db.base import PlatformBase, TimeField, utcnow
from shared.errors import Unavailable
from shared.messaging.bus import Bus

NOTE = "keys"
KEEP_STALE = 24 * 3600
"""Seconds for which keys that can't be fetched anew are believed."""

log = structlog.get_logger()


class KeyCacheRow(PlatformBase, table=True):
    """The last key set that was fetched, so that a service can start and verify while accounts is away."""

    __tablename__ = "key_cache"

    id: int = Field(primary_key=True)
    jwks: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    fetched_at: datetime = TimeField()


class KeyCache:
    """Keeps the key set, fetched anew in its time: a request waits for it only where it names an unknown kid."""

    def __init__(self, fetch: Callable[[], Awaitable[JwkSet]], database: Database, settings: ServiceSettings) -> None:
        self._fetch, self._database = fetch, database
        self._max_age = settings.jwks_max_age.total_seconds()
        self._retry_after = settings.jwks_retry_after.total_seconds()
        self._keys: Mapping[str, PublicKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._dropped: set[str] = set()
        self._lock = asyncio.Lock()
        self._work = asyncio.Event()

    @property
    def known(self) -> bool:
        return bool(self._keys)

    async def key(self, kid: str) -> PublicKey:
        """Raise `Unauthenticated` for a kid that accounts doesn't know, `Unavailable` while no keys are known."""
        if kid not in self._keys:
            await self._refresh()
        if not self._keys:
            raise Unavailable("The keys of accounts are not known yet.")
        if (key := self._keys.get(kid)) is None:
            raise invalid_token("The access token is signed by an unknown key.")
        return key

    def drop(self, kids: Collection[str]) -> None:
        """Believe these keys no more, whoever says they are accounts'; and ask at once which are."""
        self._dropped.update(kids)
        self._keys = {kid: key for kid, key in self._keys.items() if kid not in self._dropped}
        self._tried_at = float("-inf")
        self._work.set()

    async def keep(self) -> None:
        """Fetch the keys at start, in their time anew, and every second while none are known; until cancelled."""
        while True:
            self._work.clear()
            await self._refresh()
            if not self._keys:
                await self._recall()
            fresh = time.monotonic() - self._fetched_at < self._max_age
            await woken(self._work, self._max_age if fresh else self._patience)

    @property
    def _patience(self) -> float:
        """Seconds between two tries. While no key is known nothing is lost by asking often; else an unknown kid could
        be used to flood accounts."""
        return self._retry_after if self._keys else 1.0

    async def _refresh(self) -> None:
        async with self._lock:
            now = time.monotonic()
            if now - self._tried_at < self._patience:
                return
            self._tried_at = now
            try:
                jwks = await self._fetch()
                keys = self._believed(jwks)
            except (httpx.HTTPError, ValueError) as error:
                log.warning("keys_not_fetched", error=repr(error))
                if now - self._fetched_at > KEEP_STALE:
                    self._keys = {}
                return
            self._keys, self._fetched_at = keys, now
        await self._remember(jwks)

    async def _recall(self) -> None:
        """What accounts said before this process began."""
        try:
            async with self._database.session() as session:
                row = (await session.exec(select(KeyCacheRow))).first()
        except Unavailable:
            return
        if row and (age := (utcnow() - row.fetched_at).total_seconds()) < KEEP_STALE:
            self._keys = self._believed(row.jwks)
            self._fetched_at = time.monotonic() - age

    def _believed(self, jwks: JwkSet) -> Mapping[str, PublicKey]:
        """The keys of the set but for dropped ones; what was verified by one that is known already stays remembered."""
        keys = {kid: key for kid, key in public_keys(jwks).items() if kid not in self._dropped}
        return {
            kid: known if (known := self._keys.get(kid)) and known.key == key.key else key for kid, key in keys.items()
        }

    async def _remember(self, jwks: JwkSet) -> None:
        row = {"jwks": jwks, "fetched_at": utcnow()}
        try:
            async with self._database.session() as session:
                keep = insert(KeyCacheRow).values(id=1, **row)
                await session.exec(keep.on_conflict_do_update(index_elements=["id"], set_=row))
        except Unavailable:
            log.warning("keys_not_kept")


async def drop_keys(session: Session, event: KeysDropped) -> None:
    """Handle `keys.dropped`: forget the kept set, and let every instance of the service drop these keys."""
    await session.exec(delete(KeyCacheRow))
    bus: Bus = session.info["bus"]
    after_commit(session, partial(bus.broadcast, NOTE, {"kids": event.kids}))
