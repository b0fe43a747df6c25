"""Whose token it is, by keys that are fetched beside the requests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.callers import Callers
from gateway.upstream import Upstream
from shared.errors import Unavailable
from tests.integration.gateway.servers import eventually
from tests.unit.factories import USER_ID, access_token, jwk
from tests.unit.gateway.asgi import settings

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


class Accounts:
    """An upstream that hands out its keys, unless it is away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.keys = {"k1": KEY}

    async def said_at(self, path: bytes) -> Any:
        assert path == b"/.well-known/jwks.json"
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        return {"keys": [jwk(key, kid) for kid, key in self.keys.items()]}


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
async def callers(accounts: Accounts) -> AsyncIterator[Callers]:
    callers = Callers(cast(Upstream, accounts), settings())
    yield callers
    await callers.close()


def bearer(key: Ed25519PrivateKey = KEY, kid: str = "k1", **said: Any) -> bytes:
    return b"Bearer " + access_token(key, kid, **said).encode()


async def known(callers: Callers, header: bytes) -> None:
    await eventually(lambda: callers.user(header) == str(USER_ID))


async def test_a_token_that_accounts_signed_is_its_users(callers: Callers, accounts: Accounts) -> None:
    assert callers.user(bearer()) is None  # nobody waits for the keys
    await known(callers, bearer())
    assert callers.user(bearer().replace(b"Bearer", b"bearer")) == str(USER_ID)
    assert accounts.asked == 1


async def test_any_other_is_nobodys(callers: Callers) -> None:
    await known(callers, bearer())
    for header in (bearer(OTHER), bearer(exp=1), bearer(iss="x"), b"Bearer x.y.z", b"Bearer ", b"Basic eDp5", b""):
        assert callers.user(header) is None


async def test_made_up_keys_make_us_ask_no_more_than_once_in_a_while(callers: Callers, accounts: Accounts) -> None:
    await known(callers, bearer())
    for n in range(50):
        assert callers.user(bearer(OTHER, kid=f"made up {n}")) is None
        await asyncio.sleep(0)
    assert accounts.asked == 1


async def test_a_new_key_is_asked_for_when_its_first_token_comes(accounts: Accounts) -> None:
    callers = Callers(cast(Upstream, accounts), settings(jwks_retry_after="1ms"))
    await known(callers, bearer())
    accounts.keys["k2"] = OTHER
    await known(callers, bearer(OTHER, kid="k2"))
    await callers.close()


async def test_while_accounts_is_away_known_keys_are_still_believed(accounts: Accounts) -> None:
    callers = Callers(cast(Upstream, accounts), settings(jwks_max_age="1ms", jwks_retry_after="1ms"))
    await known(callers, bearer())
    accounts.away = True
    asked = accounts.asked

    def asked_in_vain() -> bool:
        assert callers.user(bearer()) == str(USER_ID)
        return accounts.asked > asked + 2

    await eventually(asked_in_vain)
    await callers.close()
