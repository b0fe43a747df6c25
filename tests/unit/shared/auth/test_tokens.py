"""Only what accounts signed, for us, completely and for now, is an access token."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth import tokens
from shared.auth.service_tokens import issue_service_token
from shared.auth.tokens import Claims, PublicKey, unverified_key_id, verify
from shared.errors import Unauthenticated
from tests.unit.factories import ISSUER, SESSION_ID, USER_ID, access_token, claims

KEY = Ed25519PrivateKey.generate()
PUBLIC = PublicKey("k1", KEY.public_key())


def accept(token: str) -> Claims:
    """What a service does with a token whose key it knows."""
    unverified_key_id(token)
    return verify(token, PUBLIC, ISSUER)


def assert_refused(token: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        accept(token)
    assert refused.value.slug == "invalid-token"
    assert refused.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def handmade(header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims()).encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def test_a_token_says_who_in_which_session_until_when() -> None:
    ends_at = int(time.time()) + 60

    assert accept(access_token(KEY, exp=ends_at)) == Claims(USER_ID, "client", SESSION_ID, 3, ends_at)


def test_the_handmade_token_is_good_if_signed_by_the_key() -> None:
    good = handmade({"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}, KEY.sign)
    assert accept(good).user_id == USER_ID


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
def test_a_token_without_a_signature_is_refused(alg: str) -> None:
    header = {"alg": alg, "kid": "k1", "typ": "at+jwt"}
    assert_refused(handmade(header, lambda _: b""))
    assert_refused(handmade(header, KEY.sign))
    assert_refused(handmade(header | {"alg": "EdDSA"}, lambda _: b""))


PUBLIC_FORMS = [
    PUBLIC.key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
    PUBLIC.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    PUBLIC.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    PUBLIC.key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
]


@pytest.mark.parametrize("secret", PUBLIC_FORMS, ids=["raw", "pem", "der", "ssh"])
@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(alg: str, secret: bytes) -> None:
    header = {"alg": alg, "kid": "k1", "typ": "at+jwt"}
    assert_refused(handmade(header, lambda text: hmac.new(secret, text, hashlib.sha256).digest()))


@pytest.mark.parametrize("secret", PUBLIC_FORMS, ids=["raw", "pem", "der", "ssh"])
def test_the_algorithm_is_checked_before_a_key_is_looked_for_and_again_with_the_key(secret: bytes) -> None:
    token = handmade({"alg": "HS256", "kid": "k1", "typ": "at+jwt"}, lambda t: hmac.new(secret, t, "sha256").digest())

    with pytest.raises(Unauthenticated):
        unverified_key_id(token)
    with pytest.raises(Unauthenticated):
        verify(token, PublicKey("k1", secret), ISSUER)  # type: ignore[arg-type]


def test_a_token_of_another_algorithm_is_refused() -> None:
    private = rsa.generate_private_key(65537, 2048)
    assert_refused(jwt.encode(claims(), private, algorithm="RS256", headers={"kid": "k1", "typ": "at+jwt"}))


def test_a_token_signed_by_another_key_is_refused() -> None:
    assert_refused(access_token(Ed25519PrivateKey.generate()))


def test_a_token_that_brings_its_own_key_is_judged_by_ours() -> None:
    other = Ed25519PrivateKey.generate()
    own = jwt.algorithms.OKPAlgorithm.to_jwk(other.public_key(), as_dict=True)
    header = {"alg": "EdDSA", "kid": "k1", "typ": "at+jwt", "jwk": own, "jku": "https://evil.example", "x5u": "x"}
    assert_refused(handmade(header, other.sign))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_changed_anywhere_is_refused(part: int) -> None:
    parts = access_token(KEY).split(".")
    parts[part] = ("A" if parts[part][5] != "A" else "B").join((parts[part][:5], parts[part][6:]))
    assert_refused(".".join(parts))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.é.é", "null", "e30.e30.e30", "x" * 5000])
def test_what_is_no_token_at_all_is_refused(text: str) -> None:
    assert_refused(text)


@pytest.mark.parametrize("typ", ["JWT", "svc+jwt", "AT+JWT ", "", "jwt"])
def test_a_token_of_another_type_is_refused(typ: str) -> None:
    assert_refused(access_token(KEY, typ=typ))


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"typ": "at+jwt", "kid": ""}, {"kid": "k1", "typ": None}])
def test_a_token_without_type_or_key_names_no_key_of_ours(header: dict[str, Any]) -> None:
    token = jwt.encode(claims(), KEY, algorithm="EdDSA", headers=header)
    try:
        kid = unverified_key_id(token)
    except Unauthenticated:
        kid = ""
    assert kid == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another-shop"},
        {"aud": ["marketplace", "another-shop"]},
        {"aud": ["marketplace"]},
        {"iss": "another-shop"},
        {"iss": ["marketplace"]},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"exp": "soon"},
        {"sub": "somebody"},
        {"sub": 5},
        {"sid": "some session"},
        {"ver": "first"},
    ],
    ids=str,
)
def test_a_token_with_a_claim_that_is_not_right_is_refused(changed: dict[str, Any]) -> None:
    assert_refused(access_token(KEY, **changed))


@pytest.mark.parametrize("changed", [{"sid": 5}, {"sid": ["x"]}, {"ver": {}}, {"exp": 1e400}], ids=str)
def test_a_claim_of_another_kind_is_a_refusal_and_no_crash(changed: dict[str, Any]) -> None:
    assert_refused(access_token(KEY, **changed))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "role", "sid", "ver", "iat", "exp", "jti"])
def test_a_token_that_lacks_a_claim_is_refused(name: str) -> None:
    assert_refused(access_token(KEY, **{name: ...}))
    assert_refused(access_token(KEY, **{name: None}))


def test_an_expired_token_is_refused() -> None:
    assert_refused(access_token(KEY, exp=int(time.time()) - 30))


def test_clocks_may_differ_by_some_seconds_and_by_30_at_most() -> None:
    assert accept(access_token(KEY, exp=int(time.time()) - 3)).user_id == USER_ID
    assert tokens.LEEWAY <= 30


def test_a_token_that_was_seen_before_is_still_refused_once_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    token = access_token(KEY)
    ends_at = accept(token).expires_at
    clock = SimpleNamespace(time=lambda: ends_at + tokens.LEEWAY - 0.5)
    monkeypatch.setattr(tokens, "time", clock)
    assert accept(token).expires_at == ends_at

    clock.time = lambda: float(ends_at + tokens.LEEWAY)

    assert_refused(token)


def test_a_token_that_was_seen_before_is_not_taken_for_another_key_or_issuer() -> None:
    token = access_token(KEY)
    accept(token)

    with pytest.raises(Unauthenticated):
        verify(token, PublicKey("k1", Ed25519PrivateKey.generate().public_key()), ISSUER)
    with pytest.raises(Unauthenticated):
        verify(token, PUBLIC, "another-shop")


def test_a_signature_is_verified_once_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    token, decoded, decode = access_token(KEY), [], jwt.decode
    monkeypatch.setattr(jwt, "decode", lambda *args, **options: decoded.append(1) or decode(*args, **options))

    assert accept(token) == accept(token) == accept(token)
    assert len(decoded) == 1


def test_a_service_token_is_no_access_token() -> None:
    assert_refused(issue_service_token("s" * 32, "orders", "marketplace"))
