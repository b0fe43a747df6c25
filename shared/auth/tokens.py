"""Access tokens: what they say, and how any service verifies one by accounts' public keys alone.

JWT access tokens after RFC 9068, signed with Ed25519 (RFC 8037).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.errors import Unauthenticated

JwkSet = dict[str, Any]

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "marketplace"
LEEWAY = 10
"""Seconds by which clocks may differ."""
_REQUIRED = ["iss", "aud", "sub", "role", "sid", "ver", "iat", "exp", "jti"]


@dataclass(frozen=True, eq=False)
class PublicKey:
    """One of accounts' keys. Compared by identity, so that it can be part of a cache's key."""

    kid: str
    key: Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    user_id: UUID
    role: str
    session_id: UUID
    user_version: int
    expires_at: int
    """Seconds since the epoch."""


@lru_cache(maxsize=8192)
def unverified_key_id(token: str) -> str:
    """The `kid` that the token names. Raise `Unauthenticated` unless it is an access token of the one accepted kind."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise invalid_token("The access token is malformed.") from error
    if header.get("alg") != ALGORITHM or header.get("typ") != TYPE or not isinstance(header.get("kid"), str):
        raise invalid_token("This is not an access token of this marketplace.")
    kid: str = header["kid"]
    return kid


def verify(token: str, key: PublicKey, issuer: str) -> Claims:
    """Raise `Unauthenticated` unless the token is signed by `key`, complete, and lives.

    Only the signature's result is remembered; that the token has not ended is checked at each use.
    """
    claims = _signed_claims(token, key, issuer)
    if claims.expires_at <= time.time() - LEEWAY:
        raise invalid_token("The access token has expired.")
    return claims


@lru_cache(maxsize=8192)
def _signed_claims(token: str, key: PublicKey, issuer: str) -> Claims:
    try:
        data: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        return Claims(
            user_id=UUID(data["sub"]),
            role=str(data["role"]),
            session_id=UUID(data["sid"]),
            user_version=int(data["ver"]),
            expires_at=int(data["exp"]),
        )
    except jwt.ExpiredSignatureError as error:
        raise invalid_token("The access token has expired.") from error
    except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as error:
        raise invalid_token("The access token is not valid.") from error


def public_keys(jwks: JwkSet) -> Mapping[str, PublicKey]:
    """By kid, the keys of the one kind that signs access tokens. Raises `ValueError` for what is no key set."""
    found = {}
    try:
        for jwk in jwks["keys"]:
            of_our_kind = (jwk.get("kty"), jwk.get("crv")) == ("OKP", "Ed25519")
            if of_our_kind and isinstance(key := jwt.PyJWK(jwk).key, Ed25519PublicKey):
                found[jwk["kid"]] = PublicKey(jwk["kid"], key)
    except (jwt.PyJWTError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a key set") from error
    if not found:
        raise ValueError("a key set without a key to verify by")
    return found


def invalid_token(detail: str) -> Unauthenticated:
    """RFC 6750's answer to a token that does not hold."""
    return Unauthenticated(detail, slug="invalid-token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
