"""What accounts signs, every service can verify, by what accounts publishes alone."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from services.accounts.config import AccountsSettings
from services.accounts.keys import MARGIN, Signer, WrongKeysSecret
from services.accounts.models import SigningKey, User
from services.accounts.repo import keys as repo
from shared.auth.tokens import public_keys, unverified_key_id, verify
from shared.db.base import utcnow
from tests.unit.factories import ISSUER, SESSION_ID, USER_ID, FakeDatabase, settings

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

    async def living(_: Any) -> list[SigningKey]:
        return sorted(keys, key=lambda key: key.signs_from, reverse=True)

    async def lock(_: Any) -> None:
        pass

    monkeypatch.setattr(repo, "living", living)
    monkeypatch.setattr(repo, "lock", lock)
    return keys


def signer(kept: list[SigningKey], secret: str = "a secret") -> Signer:
    database: Any = FakeDatabase(session_of(kept))
    return Signer(database, settings(AccountsSettings, keys_secret=secret))


def session_of(kept: list[SigningKey]) -> Any:
    def add(row: Any) -> None:
        if isinstance(row, SigningKey) and row not in kept:
            kept.append(row)

    async def delete(row: Any) -> None:
        kept.remove(row)

    return SimpleNamespace(add=add, delete=delete, info={"service": "accounts", "hand_over": lambda message: None})


async def test_a_token_verifies_by_the_published_keys_and_says_who_in_which_session(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    token = await signs.access_token(USER, SESSION_ID)
    keys = public_keys(await signs.public_keys())

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


async def test_a_rotated_key_is_published_now_and_signs_after_the_lead(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    before = unverified_key_id(await signs.access_token(USER, SESSION_ID))

    new = await signs.rotate(session_of(kept))
    await signs.load()

    assert {key["kid"] for key in (await signs.public_keys())["keys"]} == {before, new}
    assert unverified_key_id(await signs.access_token(USER, SESSION_ID)) == before
    kept[1].signs_from = utcnow()  # its time has come
    await signs.load()
    assert unverified_key_id(await signs.access_token(USER, SESSION_ID)) == new


async def test_an_old_key_ends_after_the_last_token_that_it_can_have_signed(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    await signs.load()
    await signs.rotate(session_of(kept))
    old, new = kept

    assert new.ends_at is None
    assert old.ends_at == new.signs_from + timedelta(seconds=signs.ttl_seconds) + MARGIN


async def test_a_second_rotation_does_not_let_a_key_live_longer(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    await signs.load()
    await signs.rotate(session_of(kept))
    ends_at = kept[0].ends_at
    await signs.rotate(session_of(kept))

    assert kept[0].ends_at == ends_at
    assert kept[1].ends_at is not None


async def test_replaced_keys_are_gone_and_the_new_one_signs_at_once(kept: list[SigningKey]) -> None:
    signs = signer(kept)
    await signs.load()

    new = await signs.replace(session_of(kept))
    await signs.load()

    assert [key.kid for key in kept] == [new]
    assert unverified_key_id(await signs.access_token(USER, SESSION_ID)) == new
