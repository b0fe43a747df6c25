"""Password hashing: slow on purpose, hence bounded."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from services import accounts
from services.accounts.passwords import QUEUE, THREADS, Passwords, is_common
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


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which function of Argon2 ran, in order."""
    ran: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(PasswordHasher, name)

        def run(*values: Any) -> Any:
            ran.append(name)
            return real(*values)

        return run

    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, counted(name))
    return ran


async def test_a_wrong_password_and_an_unknown_user_cost_one_run_of_argon2_each(
    passwords: Passwords, runs: list[str]
) -> None:
    stored = await passwords.hash("correct horse")
    runs.clear()

    assert not await passwords.verify("wrong", stored)
    assert runs == ["verify"]
    assert not await passwords.verify("wrong", None)
    assert runs == ["verify", "verify"]


@pytest.mark.parametrize("cost", [{"time_cost": 1}, {"memory_cost": 8192}, {"parallelism": 2}])
async def test_a_hash_of_another_cost_is_right_and_to_be_replaced(passwords: Passwords, cost: dict[str, int]) -> None:
    stored = PasswordHasher(**{"time_cost": 2, "memory_cost": 19456, "parallelism": 1} | cost).hash("correct horse")

    assert await passwords.verify("correct horse", stored)
    assert passwords.needs_rehash(stored)


async def test_a_hash_of_the_agreed_cost_stays(passwords: Passwords, runs: list[str]) -> None:
    stored = await passwords.hash("correct horse")
    runs.clear()

    assert not passwords.needs_rehash(stored)
    assert runs == []


@pytest.mark.parametrize("password", ["password1", "PassWord1", "ｐａｓｓｗｏｒｄ１", "qwertyuiop", "12345678"])
def test_the_commonest_passwords_are_known_in_whatever_case_or_width(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize(
    "password", ["correct horse", "aaaaaaaaaaaaaaaaaaab", "long enough", "parol-parol", "маркетплейс", "password1 "]
)
def test_what_few_would_guess_is_not_common_whatever_it_is_made_of(password: str) -> None:
    assert not is_common(password)


def test_the_list_holds_what_could_be_chosen_sorted_and_once() -> None:
    text = (Path(accounts.__path__[0]) / "common_passwords.txt").read_text(encoding="utf-8")
    lines = text.removesuffix("\n").split("\n")

    assert len(lines) > 8000
    assert lines == sorted(set(lines))
    assert all(8 <= len(line) <= 128 for line in lines)


def test_so_many_requests_hash_at_once_and_no_more(passwords: Passwords) -> None:
    with ExitStack() as taken:
        for _ in range(THREADS + QUEUE):
            taken.enter_context(passwords.room())

        with pytest.raises(Unavailable), passwords.room():
            pass
    with passwords.room():
        pass


async def test_hashing_leaves_the_event_loop_to_others(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    loop_thread, hashed_in = threading.get_ident(), []

    def hash_somewhere(_: Any, password: str) -> str:
        hashed_in.append(threading.get_ident())
        return password

    monkeypatch.setattr(passwords._hasher.__class__, "hash", hash_somewhere)
    await asyncio.gather(*(passwords.hash("a") for _ in range(10)))

    assert loop_thread not in hashed_in
    assert 1 <= len({*hashed_in}) <= THREADS
