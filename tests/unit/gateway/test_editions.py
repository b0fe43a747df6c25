"""One question tells of all that is kept whether it is still right, and never makes an old answer look new."""

import asyncio
from typing import Any, cast

import pytest

from gateway.cache import ANEW_AFTER, Cache
from gateway.editions import PATH, Edition
from gateway.upstream import Upstream
from shared.errors import Unavailable
from tests.unit.gateway.asgi import Answer, Clock, call, scope_of
from tests.unit.gateway.test_cache import Service


class Catalog(Service):
    """Also says which edition it is at, and notes how often it is asked for that."""

    service = "catalog"

    def __init__(self) -> None:
        super().__init__()
        self.said: Any = {"edition": "1"}
        self.editions_asked = 0
        self.may_say = asyncio.Event()
        self.may_say.set()

    async def said_at(self, path: bytes) -> Any:
        assert path == PATH
        self.editions_asked += 1
        await self.may_say.wait()
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def publish(self, body: bytes, edition: str) -> None:
        self.body, self.said = body, {"edition": edition}
        self.headers = [self.headers[0], (b"etag", b'"' + body + b'"')]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def edition(catalog: Catalog, clock: Clock) -> Edition:
    return Edition(cast(Upstream, catalog), clock=clock)


@pytest.fixture
def kept(catalog: Catalog, edition: Edition, clock: Clock) -> Cache:
    return Cache(catalog, 10_000_000, {"catalog": edition}, clock=clock)


async def get(cache: Cache, path: str = "/api/services/", *headers: tuple[str, str]) -> Answer:
    return await call(cache, scope_of(path, *headers))


async def begin(cache: Cache, clock: Clock, *paths: str) -> None:
    """Have it keep answers of a known edition, whose time is over."""
    await get(cache, "/api/services/first/")
    for pause in (1, 0):  # the first that is stale asks for the edition
        clock.now += pause
        await get(cache, "/api/services/first/")
    for path in paths:
        await get(cache, path)
    clock.now += 1


PATHS = [f"/api/services/{n}/" for n in range(50)]


async def test_one_question_renews_all_that_is_kept(kept: Cache, catalog: Catalog, clock: Clock) -> None:
    await begin(kept, clock, *PATHS)
    asked, editions_asked = len(catalog.asked), catalog.editions_asked
    for _ in range(3):
        for path in PATHS:
            answer = await get(kept, path)
            assert (answer.status, answer.body, answer["age"]) == (200, b"answer", "0")
        clock.now += 1
    assert (len(catalog.asked) - asked, catalog.editions_asked - editions_asked) == (0, 3)


async def test_nobody_is_asked_while_nobody_asks(catalog: Catalog, kept: Cache, clock: Clock) -> None:
    await begin(kept, clock)
    asked = catalog.editions_asked
    clock.now += 100
    await asyncio.sleep(0)
    assert catalog.editions_asked == asked


async def test_once_anything_has_changed_each_is_asked_about_by_itself(
    kept: Cache, catalog: Catalog, clock: Clock
) -> None:
    await begin(kept, clock, *PATHS)
    asked = len(catalog.asked)
    catalog.publish(b"newer", "2")
    for path in PATHS:
        assert (await get(kept, path)).body == b"newer"
    assert len(catalog.asked) - asked == len(PATHS)
    clock.now += 1
    for path in PATHS:  # and from there on they are of the new edition
        assert (await get(kept, path)).body == b"newer"
    assert len(catalog.asked) - asked == len(PATHS)


async def test_what_has_not_changed_itself_is_of_the_new_edition_too(
    kept: Cache, catalog: Catalog, clock: Clock
) -> None:
    await begin(kept, clock, *PATHS)
    catalog.said = {"edition": "2"}
    await get(kept, PATHS[0])
    asked = len(catalog.asked)  # the last of them was answered by a 304
    clock.now += 1
    assert (await get(kept, PATHS[0])).body == b"answer"
    assert len(catalog.asked) == asked


async def test_an_answer_is_of_the_edition_from_before_it_was_asked_for(
    kept: Cache, catalog: Catalog, clock: Clock
) -> None:
    """The change is committed between the answer and the next question for the edition."""
    await begin(kept, clock)
    await get(kept, PATHS[0])
    catalog.publish(b"newer", "2")
    clock.now += 1
    assert (await get(kept, PATHS[0])).body == b"newer"


async def test_an_answer_from_before_the_first_edition_is_of_none(kept: Cache, catalog: Catalog, clock: Clock) -> None:
    await get(kept, PATHS[0])
    catalog.publish(b"newer", "1")  # nobody has seen the one before
    clock.now += 1
    assert (await get(kept, PATHS[0])).body == b"newer"


async def test_an_edition_that_comes_up_again_is_another(kept: Cache, catalog: Catalog, clock: Clock) -> None:
    """As after a database was restored: what was kept from before must not come back."""
    await begin(kept, clock, *PATHS[:2])
    for edition in ("2", "1"):
        catalog.publish(b"restored", edition)
        clock.now += 1
        await get(kept, PATHS[1])
    assert (await get(kept, PATHS[0])).body == b"restored"


async def test_now_and_then_it_is_had_anew_all_the_same(kept: Cache, catalog: Catalog, clock: Clock) -> None:
    await begin(kept, clock, PATHS[0])
    asked, began = len(catalog.asked), clock.now
    while clock.now < began + ANEW_AFTER:
        await get(kept, PATHS[0])
        clock.now += 0.5
    assert len(catalog.asked) - asked == 1


@pytest.mark.parametrize("said", [Unavailable("away"), {}, [], None, {"detail": "Not found."}])
async def test_where_none_is_had_each_is_asked_about(kept: Cache, catalog: Catalog, clock: Clock, said: Any) -> None:
    await begin(kept, clock, *PATHS)
    catalog.said, editions_asked, asked = said, catalog.editions_asked, len(catalog.asked)
    for path in PATHS:
        assert (await get(kept, path)).body == b"answer"
    assert len(catalog.asked) - asked == len(PATHS)
    assert catalog.editions_asked - editions_asked == 1  # and not again with each of them


async def test_a_service_that_does_not_say_it_is_not_waited_for(
    kept: Cache, catalog: Catalog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.editions.PATIENCE", 0.01)
    await begin(kept, clock, *PATHS)
    catalog.may_say.clear()
    assert (await get(kept, PATHS[0])).body == b"answer"
    assert catalog.asked[-1]["if-none-match"] == '"1.abc"'


async def test_many_who_ask_at_once_are_one_question(kept: Cache, catalog: Catalog, clock: Clock) -> None:
    await begin(kept, clock, *PATHS)
    editions_asked = catalog.editions_asked
    catalog.may_say.clear()
    asking = [asyncio.create_task(get(kept, path)) for path in PATHS]
    await asyncio.sleep(0.01)
    asking[0].cancel()  # that who began it leaves takes it from nobody
    catalog.may_say.set()
    answers = await asyncio.gather(*asking[1:])
    assert {answer.body for answer in answers} == {b"answer"}
    assert catalog.editions_asked - editions_asked == 1


async def test_who_wants_it_afresh_has_the_answer_itself_asked_about(
    kept: Cache, catalog: Catalog, clock: Clock
) -> None:
    await begin(kept, clock, PATHS[0])
    asked = len(catalog.asked)
    await get(kept, PATHS[0], ("cache-control", "no-cache"))
    assert len(catalog.asked) - asked == 1


async def test_other_services_have_none(kept: Cache, catalog: Catalog, clock: Clock) -> None:
    await begin(kept, clock)
    editions_asked = catalog.editions_asked
    for _ in range(2):
        await get(kept, "/api/workers/")
        clock.now += 1
    assert catalog.editions_asked == editions_asked
