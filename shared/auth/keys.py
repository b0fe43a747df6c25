"""Accounts' public keys (a JSON Web Key Set, RFC 7517), kept by every service: accounts is on no one's hot path."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWK, PyJWTError
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, select

from shared.auth.tokens import invalid_token
from shared.config import ServiceSettings
from shared.db import Database
from shared.db.base import PlatformBase, TimeField, utcnow
from shared.errors import Unavailable

JwkSet = dict[str, Any]
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
    """Looks up a key by its `kid`; fetches the set when it is old and, at most every so often, for an unknown kid."""

    def __init__(self, fetch: Callable[[], Awaitable[JwkSet]], database: Database, settings: ServiceSettings) -> None:
        self._fetch, self._database = fetch, database
        self._max_age = settings.jwks_max_age.total_seconds()
        self._retry_after = settings.jwks_retry_after.total_seconds()
        self._keys: Mapping[str, Ed25519PublicKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    @property
    def known(self) -> bool:
        return bool(self._keys)

    async def key(self, kid: str) -> Ed25519PublicKey:
        """Raise `Unauthenticated` for a kid that accounts doesn't know, `Unavailable` while no keys are known."""
        age = time.monotonic() - self._fetched_at
        if kid not in self._keys or age > self._max_age:
            await self._refresh(kid)
        if not self._keys:
            raise Unavailable("The keys of accounts are not known yet.")
        if (key := self._keys.get(kid)) is None:
            raise invalid_token("The access token is signed by an unknown key.")
        return key

    async def load(self) -> None:
        """At start: what accounts says now, or else what it said before this process began."""
        await self._refresh(None)
        if not self._keys:
            async with self._database.session() as session:
                row = (await session.exec(select(KeyCacheRow))).first()
            if row and (age := (utcnow() - row.fetched_at).total_seconds()) < KEEP_STALE:
                self._keys = _public_keys(row.jwks)
                self._fetched_at = time.monotonic() - age

    async def _refresh(self, wanted: str | None) -> None:
        async with self._lock:
            now = time.monotonic()
            fresh = now - self._fetched_at <= self._max_age
            # While no key is known there is nothing to lose by asking often; else an unknown kid could flood accounts.
            patience = self._retry_after if self._keys else 1.0
            if (fresh and wanted in self._keys) or now - self._tried_at < patience:
                return
            self._tried_at = now
            try:
                jwks = await self._fetch()
                keys = _public_keys(jwks)
            except (httpx.HTTPError, PyJWTError, ValueError, KeyError) as error:
                log.warning("keys_not_fetched", error=repr(error))
                if now - self._fetched_at > KEEP_STALE:
                    self._keys = {}
                return
            self._keys, self._fetched_at = keys, now
            await self._remember(jwks)

    async def _remember(self, jwks: JwkSet) -> None:
        row = {"jwks": jwks, "fetched_at": utcnow()}
        try:
            async with self._database.session() as session:
                keep = insert(KeyCacheRow).values(id=1, **row)
                await session.exec(keep.on_conflict_do_update(index_elements=["id"], set_=row))
        except Unavailable:
            log.warning("keys_not_kept")


def _public_keys(jwks: JwkSet) -> Mapping[str, Ed25519PublicKey]:
    keys = {jwk["kid"]: PyJWK(jwk).key for jwk in jwks["keys"]}
    return {kid: key for kid, key in keys.items() if isinstance(key, Ed25519PublicKey)}
