"""A token that is wrong in one thing only opens nothing, anywhere, although accounts' own key has signed it."""

import base64
import hmac
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from marketplace.system import System
from shared.auth.tokens import ALGORITHM, LEEWAY
from tests.support.people import Person, expect

HOUR = 3600
CALLS = {
    "accounts": ("GET", "/api/users/me/"),
    "catalog": ("POST", "/api/services/"),
    "orders": ("GET", "/api/orders/"),
    "payments": ("GET", "/api/payments/"),
    "notifications": ("GET", "/api/notifications/"),
}
"""One that needs a token, of every service."""


@pytest.fixture
async def key(system: System) -> Ed25519PrivateKey:
    """What accounts signs with."""
    _, private = await system.apps["accounts"].state.identity.signer.load()
    assert isinstance(private, Ed25519PrivateKey)
    return private


async def answers(http: httpx.AsyncClient, token: str) -> dict[str, httpx.Response]:
    headers = {"Authorization": f"Bearer {token}"}
    return {service: await http.request(*call, headers=headers) for service, call in CALLS.items()}


async def assert_refused_everywhere(http: httpx.AsyncClient, token: str) -> None:
    for service, answer in (await answers(http, token)).items():
        assert (service, answer.status_code, answer.json()["type"]) == (service, 401, "invalid-token")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims."""
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


async def test_the_same_claims_signed_once_more_are_taken_everywhere(
    http: httpx.AsyncClient, client: Person, key: Ed25519PrivateKey
) -> None:
    """So what is refused below is refused for the one thing that is wrong with it."""
    header, claims = parts(client.login["access"])

    token = jwt.encode(claims | {"jti": "another"}, key, ALGORITHM, header)

    statuses = {service: answer.status_code for service, answer in (await answers(http, token)).items()}
    assert statuses == {**dict.fromkeys(CALLS, 200), "catalog": 403}


def _names(value: Any) -> str:
    """For ids that are the same whenever they are made: two workers have to agree on them."""
    return "+".join(value) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-shop"},
        {"aud": ["marketplace", "another-shop"]},
        {"aud": None},
        {"iss": "another-shop"},
        {"iss": None},
        {"iat": int(time.time()) + HOUR, "exp": int(time.time()) + 2 * HOUR},
        {"exp": int(time.time()) - LEEWAY},
        {"exp": None},
        {"sub": "somebody"},
        {"sid": None},
        {"ver": None},
    ],
    ids=_names,
)
async def test_a_wrong_claim_is_refused_everywhere(
    http: httpx.AsyncClient, client: Person, key: Ed25519PrivateKey, wrong: dict[str, Any]
) -> None:
    header, claims = parts(client.login["access"])
    changed = {name: value for name, value in (claims | wrong).items() if value is not None}

    await assert_refused_everywhere(http, jwt.encode(changed, key, ALGORITHM, header))


@pytest.mark.parametrize("wrong", [{"typ": "JWT"}, {"typ": "svc+jwt"}, {"kid": "nobody's"}, {"kid": ""}], ids=str)
async def test_a_wrong_header_is_refused_everywhere(
    http: httpx.AsyncClient, client: Person, key: Ed25519PrivateKey, wrong: dict[str, Any]
) -> None:
    header, claims = parts(client.login["access"])

    await assert_refused_everywhere(http, jwt.encode(claims, key, ALGORITHM, header | wrong))


def changed_after_signing(token: str, part: int, **changes: Any) -> str:
    """The token with changes to its header (part 0) or claims (part 1), and its old signature."""
    pieces = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(pieces[part] + "==")) | changes
    pieces[part] = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    return ".".join(pieces)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (0, {"alg": "none"}),
        (0, {"alg": "HS256"}),
        (1, {"role": "admin"}),
        (1, {"exp": int(time.time()) + 24 * HOUR}),
        (1, {"ver": 2**31}),
    ],
    ids=_names,
)
async def test_a_token_changed_after_signing_is_refused_everywhere(
    http: httpx.AsyncClient, client: Person, part: int, changes: dict[str, Any]
) -> None:
    await assert_refused_everywhere(http, changed_after_signing(client.login["access"], part, **changes))


async def test_a_token_without_its_signature_is_refused_everywhere(http: httpx.AsyncClient, client: Person) -> None:
    unsigned = changed_after_signing(client.login["access"], 0, alg="none").rpartition(".")[0] + "."

    await assert_refused_everywhere(http, unsigned)


@pytest.mark.parametrize(
    ("encoding", "form"),
    [
        (Encoding.Raw, PublicFormat.Raw),
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["raw", "pem", "der"],
)
async def test_the_public_key_is_no_shared_secret_anywhere(
    http: httpx.AsyncClient, client: Person, key: Ed25519PrivateKey, encoding: Encoding, form: PublicFormat
) -> None:
    """Algorithm confusion, by hand: PyJWT would not sign with a key of that form."""
    secret = key.public_key().public_bytes(encoding, form)
    text = changed_after_signing(client.login["access"], 0, alg="HS256").rpartition(".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()

    await assert_refused_everywhere(http, f"{text}.{mac}")


async def test_a_refresh_token_is_no_access_token(http: httpx.AsyncClient, client: Person) -> None:
    await assert_refused_everywhere(http, client.login["refresh"])


async def test_an_access_token_is_no_refresh_token(http: httpx.AsyncClient, client: Person) -> None:
    answer = await http.post("/api/auth/refresh/", json={"refresh": client.login["access"]})

    assert expect(answer, 401)["type"] == "invalid-refresh-token"
    assert client.login["access"] not in answer.text
