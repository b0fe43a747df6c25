"""Whose request it is, as far as limits need to know: by accounts' public keys, and without ever waiting for them."""

import asyncio
import time
from collections.abc import Mapping

import structlog

from gateway.active_users import ActiveUsers
from gateway.config import GatewaySettings
from gateway.upstream import NOT_HAD, Upstream
from shared.auth.tokens import PublicKey, public_keys, unverified_key_id, verify
from shared.errors import Unauthenticated

log = structlog.get_logger()


class Callers:
    """Verifies access tokens. One that can't be verified, or not yet, is nobody's: whether it is good enough for an
    answer, the service decides."""

    def __init__(self, accounts: Upstream, settings: GatewaySettings) -> None:
        self._accounts, self._issuer = accounts, settings.token_issuer
        self._active = ActiveUsers()
        self._active.export()
        self._max_age = settings.jwks_max_age.total_seconds()
        self._retry_after = settings.jwks_retry_after.total_seconds()
        self._keys: Mapping[str, PublicKey] = {}
        self._ask_at = 0.0
        self._ask_again_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    def user(self, authorization: bytes) -> str | None:
        """The id of the user whose token this header holds."""
        if authorization[:7].lower() != b"bearer ":
            return None
        token = authorization[7:].decode("latin-1").strip()
        try:
            key = self._key(unverified_key_id(token))
            user_id = str(verify(token, key, self._issuer).user_id) if key else None
        except Unauthenticated:
            return None
        if user_id:
            self._active.saw(user_id)
        return user_id

    async def close(self) -> None:
        if self._fetching:
            self._fetching.cancel()

    def _key(self, kid: str) -> PublicKey | None:
        now = time.monotonic()
        key = self._keys.get(kid)
        # A made-up kid must not make us ask without end.
        if now >= (self._ask_again_at if key is None else self._ask_at):
            self._ask_at = self._ask_again_at = now + (self._retry_after if self._keys else 1)
            self._fetching = asyncio.create_task(self._fetch())
        return key

    async def _fetch(self) -> None:
        try:
            found = public_keys(await self._accounts.said_at(b"/.well-known/jwks.json"))
        except NOT_HAD as error:
            log.warning("keys_not_fetched", error=repr(error))
            return
        # What was verified by a key that is known already stays remembered.
        same = {kid: known for kid, known in self._keys.items() if kid in found and known.key == found[kid].key}
        self._keys = {**found, **same}
        now = time.monotonic()
        self._ask_at, self._ask_again_at = now + self._max_age, now + self._retry_after
