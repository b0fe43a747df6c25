"""A token that accounts did not sign opens nothing, anywhere."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.system import System
from shared.auth.service_tokens import issue_service_token
from tests.integration.conftest import SETTINGS
from tests.support.people import Person

SOMEONES = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")


def signed_by_another_key(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", header)


def with_an_unknown_kid(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", header | {"kid": "nobody's"})


def without_algorithm(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none", header)


def as_another_role(claims: dict[str, Any], header: dict[str, Any]) -> str:
    return signed_by_another_key(claims | {"role": "admin"}, header)


@pytest.mark.parametrize("forge", [signed_by_another_key, with_an_unknown_kid, without_algorithm, as_another_role])
@pytest.mark.parametrize("path", SOMEONES)
async def test_a_forged_token_gets_401(client: Person, path: str, forge: Callable[..., str]) -> None:
    claims = jwt.decode(client.login["access"], options={"verify_signature": False})
    header = {key: value for key, value in jwt.get_unverified_header(client.login["access"]).items() if key != "alg"}

    answer = await client.http.get(path, headers={"Authorization": f"Bearer {forge(claims, header)}"})

    assert answer.status_code == 401
    assert answer.json()["type"] == "invalid-token"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("path", SOMEONES)
async def test_the_public_key_does_not_sign(client: Person, http: httpx.AsyncClient, path: str) -> None:
    """Algorithm confusion: the public key as the secret of an HMAC."""
    jwk = (await http.get("/.well-known/jwks.json")).json()["keys"][0]
    pem = jwt.PyJWK(jwk).key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    claims = jwt.decode(client.login["access"], options={"verify_signature": False})
    token = jwt.encode(claims, pem, "HS256", {"kid": jwk["kid"], "typ": "at+jwt"})

    answer = await http.get(path, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


async def test_a_service_token_is_no_users_token(http: httpx.AsyncClient) -> None:
    token = issue_service_token(SETTINGS["internal_secret"], "payments", "orders")

    answer = await http.get("/api/orders/", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


async def test_a_users_token_opens_nothing_internal(system: System, client: Person) -> None:
    async with httpx.AsyncClient(base_url=system.urls["accounts"], trust_env=False) as accounts:
        answer = await accounts.get(f"/internal/users/{client.id}/", headers=client.headers)

    assert answer.status_code == 401


async def test_a_service_token_for_another_service_opens_nothing(system: System, client: Person) -> None:
    token = issue_service_token(SETTINGS["internal_secret"], "orders", "catalog")
    async with httpx.AsyncClient(base_url=system.urls["accounts"], trust_env=False) as accounts:
        answer = await accounts.get(f"/internal/users/{client.id}/", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


async def test_the_gateway_leads_nowhere_internal(http: httpx.AsyncClient, client: Person) -> None:
    token = issue_service_token(SETTINGS["internal_secret"], "orders", "accounts")

    answer = await http.get(f"/internal/users/{client.id}/", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 404


async def test_the_token_says_who_and_for_how_long(client: Person) -> None:
    claims = jwt.decode(client.login["access"], options={"verify_signature": False})

    assert claims["sub"] == client.id
    assert claims["role"] == "client"
    assert claims["exp"] - claims["iat"] == 600
    assert abs(claims["iat"] - time.time()) < 60
    assert {"iss", "aud", "sid", "ver", "jti"} <= claims.keys()
