"""Password hashing: slow on purpose, hence bounded."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from services.accounts.passwords import QUEUE, THREADS, Passwords
from shared.errors import Unavailable


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_a_hash_is_argon2id_at_the_agreed_cost_and_never_twice_the_same(passwords: Passwords) -> None:
    first, second = await passwords.hash("correct horse"), await passwords.hash("correct horse")

    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


async def test_the_right_password_alone_is_right(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")

    assert await passwords.verify("correct horse", stored)
    assert not await passwords.verify("Correct horse", stored)
    assert not await passwords.verify("correct horse", "no hash at all")


async def test_for_an_unknown_user_the_same_work_is_done_and_nothing_is_right(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    def verify(stored: str, password: str) -> bool:
        verified.append(stored)
        return True

    monkeypatch.setattr(passwords._hasher.__class__, "verify", lambda _, stored, password: verify(stored, password))

    assert not await passwords.verify("the password of nobody", None)
    assert [stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for stored in verified] == [True]


async def test_more_than_can_wait_are_refused_at_once_and_those_who_wait_are_served(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def hash_when_told(_: object, password: str) -> str:
        go_on.wait(10)
        return password.upper()

    monkeypatch.setattr(passwords._hasher.__class__, "hash", hash_when_told)
    waiting = [asyncio.create_task(passwords.hash("a")) for _ in range(THREADS + QUEUE)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable):
        await passwords.hash("b")
    go_on.set()

    assert await asyncio.gather(*waiting) == ["A"] * (2 + 32)
    assert await passwords.hash("c") == "C"
