"""Tokens by which one service calls another's `/internal/`: short-lived, HS256 under the secret that services share."""

import time

import jwt

from shared.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "svc+jwt"
TTL = 60
"""Seconds."""


def issue_service_token(secret: str, caller: str, target: str) -> str:
    now = int(time.time())
    claims = {"iss": caller, "aud": target, "iat": now, "exp": now + TTL}
    return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"typ": TYPE})


def verify_service_token(token: str, secret: str, target: str) -> str:
    """The calling service's name. Raise `Unauthenticated` unless the token was made for `target` under `secret`."""
    try:
        if jwt.get_unverified_header(token).get("typ") != TYPE:
            raise jwt.InvalidTokenError("wrong type")
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=target,
            leeway=10,
            options={"require": ["iss", "aud", "iat", "exp"], "strict_aud": True},
        )
    except jwt.InvalidTokenError as error:
        raise Unauthenticated("A service token for this service is needed.") from error
    caller: str = claims["iss"]
    return caller
