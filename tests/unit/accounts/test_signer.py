"""What accounts signs, every service can verify, by what accounts publishes alone."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from services.accounts import repo
from services.accounts.keys import Signer, WrongKeysSecret
from services.accounts.models import SigningKey, User
from shared.auth.keys import _public_keys
from shared.auth.tokens import unverified_key_id, verify
from tests.unit.factories import ISSUER, SESSION_ID, USER_ID, FakeDatabase

NOW = datetime(2026, 1, 2, tzinfo=UTC)
USER = User(
    id=USER_ID,
    email="a@example.com",
    email_key="a@example.com",
    password_hash="x",
    full_name="Ali",
    role="worker",
    language="uz",
    version=4,
    created_at=NOW,
    updated_at=NOW,
)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[SigningKey]:
    """The signing keys that the database holds."""
    keys: list[SigningKey] = []

    async def signing_keys(_: Any) -> list[SigningKey]:
        return keys

    async def lock(_: Any) -> None:
        pass

    monkeypatch.setattr(repo, "signing_keys", signing_keys)
    monkeypatch.setattr(repo, "lock_signing_keys", lock)
    return keys


def signer(kept: list[SigningKey], secret: str = "a secret") -> Signer:
    database: Any = FakeDatabase(SimpleNamespace(add=kept.append))
    return Signer(database, secret, ISSUER, timedelta(minutes=10))


async def test_a_token_verifies_by_the_published_keys_and_says_who_in_which_session(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    token = await signs.access_token(USER, SESSION_ID)
    keys = _public_keys(await signs.public_keys())

    claims = verify(token, keys[unverified_key_id(token)], ISSUER)

    assert (claims.user_id, claims.session_id, claims.role, claims.user_version) == (USER_ID, SESSION_ID, "worker", 4)


async def test_a_token_says_what_the_contract_lists_and_lives_as_long_as_said(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    token = await signs.access_token(USER, SESSION_ID)
    said = jwt.decode(token, options={"verify_signature": False})

    assert said.keys() == {"iss", "aud", "sub", "role", "sid", "ver", "iat", "exp", "jti"}
    assert said["exp"] - said["iat"] == signs.ttl_seconds == 600
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": kept[0].kid, "typ": "at+jwt"}


async def test_the_keys_are_made_once_and_then_kept(kept: list[SigningKey]) -> None:
    await signer(kept).access_token(USER, SESSION_ID)
    await signer(kept).access_token(USER, SESSION_ID)

    assert len(kept) == 1


async def test_the_private_half_is_neither_published_nor_kept_in_the_clear(kept: list[SigningKey]) -> None:
    (published,) = (await signer(kept).public_keys())["keys"]

    assert published.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert b"PRIVATE KEY" not in kept[0].private_encrypted


async def test_keys_of_another_keys_secret_are_refused_without_a_value(kept: list[SigningKey]) -> None:
    await signer(kept, "the first secret").access_token(USER, SESSION_ID)

    with pytest.raises(WrongKeysSecret, match="KEYS_SECRET") as refused:
        await signer(kept, "the second secret").access_token(USER, SESSION_ID)
    assert "second" not in str(refused.value)
