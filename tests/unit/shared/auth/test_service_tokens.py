"""A service token opens the one service it was made for, for a minute."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.service_tokens import issue_service_token, verify_service_token
from shared.errors import Unauthenticated
from tests.unit.factories import access_token

SECRET = "q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc" * 2  # long enough for HS512 too


def token(*, alg: str = "HS256", typ: str | None = "svc+jwt", **changed: Any) -> str:
    now = int(time.time())
    said = {"iss": "orders", "aud": "catalog", "iat": now, "exp": now + 60} | changed
    said = {name: value for name, value in said.items() if value is not ...}
    return jwt.encode(said, SECRET if alg != "none" else None, algorithm=alg, headers={"typ": typ})


def test_a_service_token_says_who_calls() -> None:
    assert verify_service_token(issue_service_token(SECRET, "orders", "catalog"), SECRET, "catalog") == "orders"
    assert verify_service_token(token(), SECRET, "catalog") == "orders"


def test_a_service_token_lives_for_a_minute() -> None:
    said = jwt.decode(issue_service_token(SECRET, "orders", "catalog"), options={"verify_signature": False})
    assert said["exp"] - said["iat"] == 60


@pytest.mark.parametrize(
    "wrong",
    [
        token(aud="accounts"),
        token(aud=["catalog"]),
        token(aud=["catalog", "accounts"]),
        token(typ="JWT"),
        token(typ="at+jwt"),
        token(typ=None),
        token(alg="HS512"),
        token(alg="none"),
        token(exp=int(time.time()) - 60),
        token(iat=int(time.time()) + 3600),
        *(token(**{name: ...}) for name in ("iss", "aud", "iat", "exp")),
        issue_service_token("another secret of thirty-two characters", "orders", "catalog"),
        access_token(Ed25519PrivateKey.generate()),
        access_token(Ed25519PrivateKey.generate(), typ="svc+jwt", aud="catalog"),
        "",
        "a.b.c",
    ],
)
def test_any_other_token_is_refused(wrong: str) -> None:
    with pytest.raises(Unauthenticated):
        verify_service_token(wrong, SECRET, "catalog")
