"""The signing keys: made once under a lock, kept encrypted, published as a JSON Web Key Set (RFC 7517, RFC 8037)."""

import base64
import hashlib
import json
import time
from datetime import timedelta
from typing import Any

import jwt
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from services.accounts.models import SigningKey, User
from services.accounts.repo import logins as repo
from shared.auth.tokens import ALGORITHM, AUDIENCE, TYPE
from shared.db import Database, Session
from shared.db.base import utcnow
from shared.ids import new_id


class WrongKeysSecret(Exception):
    """The keys in the database were encrypted under another `KEYS_SECRET`."""


class Signer:
    """Signs access tokens with the newest key."""

    def __init__(self, database: Database, secret: str, issuer: str, ttl: timedelta) -> None:
        self._database, self._issuer, self._ttl = database, issuer, ttl
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))
        self._current: tuple[str, Ed25519PrivateKey] | None = None

    @property
    def ttl_seconds(self) -> int:
        return int(self._ttl.total_seconds())

    async def public_keys(self) -> dict[str, Any]:
        async with self._database.session() as session:
            keys = await self._all(session)
        return {"keys": [json.loads(key.public_jwk) for key in keys]}

    async def access_token(self, user: User, session_id: object) -> str:
        """A token that says who `user` is to every service, for as long as `ACCESS_TOKEN_TTL`."""
        kid, private = self._current or await self._load()
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

    async def _load(self) -> tuple[str, Ed25519PrivateKey]:
        async with self._database.session() as session:
            newest = (await self._all(session))[0]
        try:
            pem = self._fernet.decrypt(newest.private_encrypted)
        except InvalidToken as error:
            raise WrongKeysSecret("KEYS_SECRET is not the one that the signing keys were encrypted with.") from error
        private = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(private, Ed25519PrivateKey)  # noqa: S101 - what `_make` wrote
        self._current = (newest.kid, private)
        return self._current

    async def _all(self, session: Session) -> list[SigningKey]:
        keys = list(await repo.signing_keys(session))
        if not keys:
            await repo.lock_signing_keys(session)
            keys = list(await repo.signing_keys(session)) or [self._make(session)]
        return keys

    def _make(self, session: Session) -> SigningKey:
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
            signs_from=utcnow(),
        )
        session.add(key)
        return key
