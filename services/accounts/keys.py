"""The signing keys: made once under a lock, kept encrypted, published as a JSON Web Key Set (RFC 7517, RFC 8037).

A new key is published before it signs, and an old one until its last token has ended, so that no service ever meets a
token whose key it can't know.
"""

import asyncio
import base64
import hashlib
import json
import time
from datetime import datetime, timedelta
from typing import Any

import jwt
import structlog
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.accounts.config import AccountsSettings
from services.accounts.models import SigningKey, User
from services.accounts.repo import keys as repo
from shared.auth.tokens import ALGORITHM, AUDIENCE, TYPE
from shared.contracts.accounts import KeysDropped
from shared.db import Database, Session
from shared.db.base import utcnow
from shared.ids import new_id
from shared.messaging import outbox

MARGIN = timedelta(minutes=10)
"""For which an old key is published beyond the end of its last token."""

log = structlog.get_logger()


class WrongKeysSecret(Exception):
    """The keys in the database were encrypted under another `KEYS_SECRET`."""


class Signer:
    """Signs access tokens with the newest key whose time has come."""

    def __init__(self, database: Database, settings: AccountsSettings) -> None:
        self._database, self._issuer = database, settings.token_issuer
        self._ttl, self._lead, self._reload = settings.access_token_ttl, settings.key_lead, settings.keys_reload
        digest = hashlib.sha256(settings.keys_secret.get_secret_value().encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))
        self._current: tuple[str, Ed25519PrivateKey] | None = None

    @property
    def ttl_seconds(self) -> int:
        return int(self._ttl.total_seconds())

    async def public_keys(self) -> dict[str, Any]:
        async with self._database.session() as session:
            keys = await self._living(session)
        return {"keys": [json.loads(key.public_jwk) for key in keys]}

    async def access_token(self, user: User, session_id: object) -> str:
        """A token that says who `user` is to every service, for as long as `ACCESS_TOKEN_TTL`."""
        kid, private = self._current or await self.load()
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(user.id),
            "role": user.role,
            "sid": str(session_id),
            "ver": user.version,
            "iat": now,
            "exp": now + self.ttl_seconds,
            "jti": str(new_id()),
        }
        return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": kid, "typ": TYPE})

    async def keep(self) -> None:
        """Follow the table, where another process may have rotated the keys, until cancelled."""
        while True:
            try:
                await self.load()
            except WrongKeysSecret:
                raise
            except Exception as error:
                log.warning("signing_keys_not_read", error=repr(error))
            await asyncio.sleep(self._reload.total_seconds())

    async def load(self) -> tuple[str, Ed25519PrivateKey]:
        """Read which key signs now. Raises `WrongKeysSecret`."""
        async with self._database.session() as session:
            keys, now = await self._living(session), utcnow()
        signing = next((key for key in keys if key.signs_from <= now), keys[-1])
        if self._current is None or self._current[0] != signing.kid:
            self._current = (signing.kid, self._decrypt(signing))
        return self._current

    async def rotate(self, session: Session) -> str:
        """Add a key that signs after `KEY_LEAD`, and let those before it end after it has begun. Returns its kid."""
        await repo.lock(session)
        before = await repo.living(session)
        new = self._make(session, signs_from=utcnow() + self._lead)
        for key in before:
            key.ends_at = key.ends_at or new.signs_from + self._ttl + MARGIN
            session.add(key)
        return new.kid

    async def replace(self, session: Session) -> str:
        """Sign with a new key at once, and let nobody believe the ones before it: they leaked. Returns its kid."""
        await repo.lock(session)
        leaked = await repo.living(session)
        new = self._make(session, signs_from=utcnow())
        for key in leaked:
            await session.delete(key)
        outbox.add(session, KeysDropped(kids=[key.kid for key in leaked]))
        return new.kid

    async def _living(self, session: Session) -> list[SigningKey]:
        """Newest first; made where there is none."""
        if not (keys := list(await repo.living(session))):
            await repo.lock(session)
            keys = list(await repo.living(session)) or [self._make(session, signs_from=utcnow())]
        return keys

    def _decrypt(self, key: SigningKey) -> Ed25519PrivateKey:
        try:
            pem = self._fernet.decrypt(key.private_encrypted)
        except InvalidToken as error:
            raise WrongKeysSecret("KEYS_SECRET is not the one that the signing keys were encrypted with.") from error
        private = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(private, Ed25519PrivateKey)  # noqa: S101 - what `_make` wrote
        return private

    def _make(self, session: Session, *, signs_from: datetime) -> SigningKey:
        private = Ed25519PrivateKey.generate()
        kid = str(new_id())
        jwk: dict[str, Any] = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = SigningKey(
            kid=kid,
            public_jwk=json.dumps({**jwk, "kid": kid, "use": "sig", "alg": ALGORITHM}),
            private_encrypted=self._fernet.encrypt(pem),
            created_at=utcnow(),
            signs_from=signs_from,
        )
        session.add(key)
        return key
