"""What unit tests are made of: settings, databases and keys that touch nothing outside the process."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.auth.tokens import Claims
from shared.auth.users import User
from shared.config import ServiceSettings
from shared.errors import Unavailable
from shared.ids import new_id

ISSUER = "marketplace"
USER_ID = UUID("01890000-0000-7000-8000-000000000001")
SESSION_ID = UUID("01890000-0000-7000-8000-000000000002")


def settings(kind: type[ServiceSettings] = ServiceSettings, **values: Any) -> Any:
    """Settings of a development process, which would reach nothing."""
    given = {"env": "development", "database_url": "postgresql://nobody@localhost:1/none", **values}
    return kind(_env_file=None, **given)


def claims(**changed: Any) -> dict[str, Any]:
    """What accounts says in an access token; a claim changed to `...` is left out."""
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "aud": "marketplace",
        "sub": str(USER_ID),
        "role": "client",
        "sid": str(SESSION_ID),
        "ver": 3,
        "iat": now,
        "exp": now + 600,
        "jti": str(new_id()),
    }
    return {name: value for name, value in (said | changed).items() if value is not ...}


def access_token(key: Ed25519PrivateKey, kid: str = "k1", typ: str = "at+jwt", **changed: Any) -> str:
    """Signed, whatever it says: `jwt.encode` would refuse to say some of what tests have to."""
    payload = json.dumps(claims(**changed)).encode()
    return jwt.PyJWS().encode(payload, key, algorithm="EdDSA", headers={"kid": kid, "typ": typ})


def jwk(key: Ed25519PrivateKey, kid: str) -> dict[str, Any]:
    public: dict[str, Any] = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", "alg": "EdDSA"}


def user(role: str, user_id: UUID = USER_ID, **claims: Any) -> User:
    """Someone whom a verified token speaks for."""
    said = {"session_id": SESSION_ID, "user_version": 3, "expires_at": 0, **claims}
    return User(id=user_id, role=role, claims=Claims(user_id=user_id, role=role, **said))


class FakeDatabase:
    """Hands out one session, whatever that is to the test; while it is away it raises as the real one does."""

    def __init__(self, session: Any = None, *, away: bool = False) -> None:
        self.given, self.away = session, away

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        if self.away:
            raise Unavailable("The database did not answer in time.")
        yield self.given
