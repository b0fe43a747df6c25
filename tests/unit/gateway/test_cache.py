"""The cache answers what it may, asks once for many, and never with what is someone's own."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway import cache
from gateway.cache import Cache
from gateway.cache_rules import storable_for
from gateway.headers import Header
from tests.unit.gateway.asgi import Answer, Clock, call, scope_of

PUBLIC = (b"cache-control", b"public, s-maxage=1, must-revalidate")
TAG = (b"etag", b'"1.abc"')


class Service:
    """Answers as it is told, and notes what it was asked."""

    def __init__(self, *headers: Header, status: int = 200, body: bytes = b"answer") -> None:
        self.headers, self.status, self.body = list(headers or (PUBLIC, TAG)), status, body
        self.asked: list[dict[str, str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.breaks_off = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(headers)
        await self.may_answer.wait()
        if headers.get("if-none-match") == dict(self.headers).get(b"etag", b"").decode() != "":
            await send({"type": "http.response.start", "status": 304, "headers": self.headers})
            await send({"type": "http.response.body"})
            return
        length = (b"content-length", b"%d" % len(self.body))
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, length]})
        half = len(self.body) // 2
        await send({"type": "http.response.body", "body": self.body[:half], "more_body": True})
        if not self.breaks_off:
            await send({"type": "http.response.body", "body": self.body[half:]})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def kept(service: Service, clock: Clock) -> Cache:
    return Cache(service, 10_000_000, {}, clock=clock)


async def get(cache: Cache, *headers: tuple[str, str], path: str = "/api/services/", **more: Any) -> Answer:
    return await call(cache, scope_of(path, *headers, **more))


async def turns(count: int = 10) -> None:
    """Let everyone who can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_public_is_answered_again_without_the_service(
    kept: Cache, service: Service, clock: Clock
) -> None:
    first = await get(kept)
    clock.now += 0.9
    second = await get(kept)
    assert (first.status, first.body) == (second.status, second.body) == (200, b"answer")
    assert (first["age"], second["age"], second["etag"]) == ("0", "0", '"1.abc"')
    assert len(service.asked) == 1


async def test_its_age_is_said(clock: Clock) -> None:
    app = Cache(Service((b"cache-control", b"public, max-age=60"), (b"age", b"10")), 10**6, {}, clock=clock)
    await get(app)
    clock.now += 7
    assert (await get(app))["age"] == "17"


async def test_what_is_stale_is_asked_about_and_a_304_makes_it_fresh(
    kept: Cache, service: Service, clock: Clock
) -> None:
    await get(kept)
    clock.now += 1
    answer = await get(kept)
    assert (answer.status, answer.body) == (200, b"answer")
    assert service.asked[1]["if-none-match"] == '"1.abc"'
    clock.now += 0.5
    await get(kept)
    assert len(service.asked) == 2


async def test_what_has_changed_meanwhile_takes_its_place(kept: Cache, service: Service, clock: Clock) -> None:
    await get(kept)
    service.headers, service.body = [PUBLIC, (b"etag", b'"2.def"')], b"newer"
    clock.now += 1
    assert (await get(kept)).body == (await get(kept)).body == b"newer"


async def test_what_is_hidden_is_gone_when_the_moment_has_passed(kept: Cache, service: Service, clock: Clock) -> None:
    await get(kept)
    service.status, service.headers = 404, []
    clock.now += 1
    assert [(await get(kept)).status for _ in range(2)] == [404, 404]
    assert len(service.asked) == 3


@pytest.mark.parametrize("known", ['"1.abc"', 'W/"1.abc"', '"x", "1.abc"', "*"])
async def test_who_has_it_already_is_told_so(kept: Cache, service: Service, known: str) -> None:
    for _ in range(2):  # also the one for whom it is fetched
        answer = await get(kept, ("if-none-match", known))
        assert (answer.status, answer.body, answer["etag"]) == (304, b"", '"1.abc"')
        assert answer["content-length"] == ""
    assert "if-none-match" not in service.asked[0]
    assert len(service.asked) == 1
    assert (await get(kept, ("if-none-match", '"other"'))).status == 200


async def test_head_is_answered_by_what_get_has_left(kept: Cache, service: Service) -> None:
    await get(kept, method="HEAD")
    await get(kept)
    answer = await get(kept, method="HEAD")
    assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "6")
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", "Bearer x"),
        ("range", "bytes=0-1"),
        ("cache-control", "no-store"),
        ("content-length", "2"),
        ("transfer-encoding", "chunked"),
        ("if-match", '"1.abc"'),
        ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ],
)
async def test_some_requests_are_never_answered_from_it_nor_leave_anything(
    kept: Cache, service: Service, header: tuple[str, str]
) -> None:
    await get(kept, header)
    await get(kept)
    await get(kept, header)
    assert [header[0] in asked for asked in service.asked] == [True, False, True]
    assert service.asked[2][header[0]] == header[1]


async def test_methods_that_change_something_pass(kept: Cache, service: Service) -> None:
    for method in ("POST", "OPTIONS", "DELETE"):
        await get(kept, method=method)
        await get(kept, method=method)
    assert len(service.asked) == 6


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"cache-control", b"s-maxage=5")],
        [(b"cache-control", b"public")],
        [(b"cache-control", b"public, max-age=0")],
        [(b"cache-control", b"public, max-age=x")],
        [(b"cache-control", b"public, s-maxage=0, max-age=60")],
        [(b"cache-control", b"public, max-age=60"), (b"cache-control", b"private")],
        [(b"cache-control", b"public, max-age=60, no-store")],
        [(b"cache-control", b"public, max-age=60, no-cache")],
        [PUBLIC, (b"set-cookie", b"a=1")],
        [PUBLIC, (b"vary", b"*")],
        [PUBLIC, (b"vary", b"Accept-Language, Cookie")],
        [PUBLIC, (b"age", b"1")],
    ],
)
def test_what_the_service_does_not_call_public_is_not_kept(headers: list[Header]) -> None:
    assert storable_for(200, headers) == 0


def test_only_a_whole_200_is_kept() -> None:
    assert storable_for(200, [PUBLIC]) == 1
    assert [storable_for(status, [PUBLIC]) for status in (201, 206, 301, 404, 500)] == [0] * 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("accept-language", "ru"), ("accept-language", "ru-RU,ru;q=0.9,en;q=0.8"), True),
        (("accept-language", "xx"), ("accept-language", "en-GB"), True),
        (("accept-language", "ru"), ("accept-language", "uz"), False),
        (("accept-encoding", "gzip, br"), ("accept-encoding", "br;q=0.5,  GZIP"), True),
        (("accept-encoding", "gzip"), ("accept-encoding", "gzip;q=0"), False),
        (("accept-encoding", "gzip"), ("accept-encoding", "identity"), False),
        (("user-agent", "a"), ("user-agent", "b"), True),
        (("cookie", "a=1"), ("cookie", "b=2"), True),
    ],
)
async def test_readers_are_told_apart_by_language_and_encoding_alone(
    kept: Cache, service: Service, one: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    await get(kept, one)
    await get(kept, other)
    assert len(service.asked) == (1 if same else 2)


async def test_targets_are_told_apart_as_they_are_written(kept: Cache, service: Service) -> None:
    for path in ("/a/", "/a/?x=1", "/a/?x=2", "/a%2F"):
        await get(kept, path=path)
    assert len(service.asked) == 4


async def test_of_many_at_once_one_asks(kept: Cache, service: Service) -> None:
    service.may_answer.clear()
    asking = [asyncio.create_task(get(kept)) for _ in range(100)]
    await turns()
    service.may_answer.set()
    answers = await asyncio.gather(*asking)
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"answer")}
    assert len(service.asked) == 1


@pytest.mark.parametrize("directive", ["no-cache", "max-age=0"])
async def test_who_wants_it_afresh_gets_it_asked_about_with_others_who_do(
    kept: Cache, service: Service, directive: str
) -> None:
    await get(kept)
    service.may_answer.clear()
    asking = [asyncio.create_task(get(kept, ("cache-control", directive))) for _ in range(100)]
    await turns()
    service.may_answer.set()
    await asyncio.gather(*asking)
    assert [asked.get("if-none-match") for asked in service.asked] == [None, '"1.abc"']


async def test_what_is_not_for_all_is_given_to_none_but_who_asked(service: Service, clock: Clock) -> None:
    service = Service((b"cache-control", b"private"))
    app = Cache(service, 10**6, {}, clock=clock)
    service.may_answer.clear()
    asking = [asyncio.create_task(get(app)) for _ in range(10)]
    await turns()
    assert len(service.asked) == 1
    service.may_answer.set()
    await asyncio.gather(*asking)
    assert len(service.asked) == 10
    # From now on nobody waits for another, and a reader's own condition is the service's to judge.
    service.may_answer.clear()
    asking = [asyncio.create_task(get(app, ("if-none-match", '"x"'))) for _ in range(5)]
    await turns()
    assert [asked.get("if-none-match") for asked in service.asked[10:]] == ['"x"'] * 5
    service.may_answer.set()
    await asyncio.gather(*asking)


async def test_a_failure_is_nobody_elses(kept: Cache, service: Service) -> None:
    service.status, service.headers = 503, []
    service.may_answer.clear()
    asking = [asyncio.create_task(get(kept)) for _ in range(3)]
    await turns()
    service.may_answer.set()
    assert [answer.status for answer in await asyncio.gather(*asking)] == [503] * 3
    assert len(service.asked) == 3
    service.status, service.headers = 200, [PUBLIC]
    assert [(await get(kept)).status for _ in range(2)] == [200, 200]
    assert len(service.asked) == 4


async def test_a_crash_of_the_one_who_asks_frees_the_others(clock: Clock) -> None:
    proceed = asyncio.Event()
    asked = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await proceed.wait()
            raise RuntimeError("broken")
        await Service()(scope, receive, send)

    app_with_cache = Cache(app, 10**6, {}, clock=clock)
    first, second = (asyncio.create_task(get(app_with_cache)) for _ in range(2))
    await turns()
    proceed.set()
    with pytest.raises(RuntimeError):
        await first
    assert (await second).body == b"answer"


async def test_half_an_answer_is_not_kept_and_is_seen_to_be_half(kept: Cache, service: Service) -> None:
    service.breaks_off = True
    answer = await get(kept)
    assert (answer.status, answer.body, answer["content-length"], answer.whole) == (200, b"ans", "6", False)
    service.breaks_off = False
    assert (await get(kept)).body == b"answer"


async def test_nobody_waits_for_ever(kept: Cache, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PATIENCE", 0.01)
    service.may_answer.clear()
    kept._clock = lambda: 0.0  # so that the first question stays young enough to be waited for
    asking = [asyncio.create_task(get(kept)) for _ in range(2)]
    async with asyncio.timeout(5):
        while len(service.asked) < 2:
            await asyncio.sleep(0.005)
    service.may_answer.set()
    assert [answer.body for answer in await asyncio.gather(*asking)] == [b"answer"] * 2


async def test_a_question_that_has_been_under_way_for_long_is_asked_anew(
    kept: Cache, service: Service, clock: Clock
) -> None:
    service.may_answer.clear()
    first = asyncio.create_task(get(kept))
    await turns()
    clock.now += 2
    second = asyncio.create_task(get(kept))
    await turns()
    assert len(service.asked) == 2
    service.may_answer.set()
    await asyncio.gather(first, second)


async def test_the_asker_may_leave_and_the_others_still_get_it(clock: Clock) -> None:
    service = Service()
    heard: list[Message] = []

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        """As ours does, it ends the exchange when the client leaves."""
        await receive()
        leaving = asyncio.create_task(receive())
        answering = asyncio.create_task(service(scope, receive, send))
        await asyncio.wait({leaving, answering}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        answering.cancel()

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        heard.append(message)

    app = Cache(proxy, 10**6, {}, clock=clock)
    service.may_answer.clear()
    asker = asyncio.create_task(app(scope_of(), gone, send))
    await turns()
    other = asyncio.create_task(get(app))
    await turns()
    service.may_answer.set()
    assert (await other).body == b"answer"
    await asker
    assert len(service.asked) == 1


async def test_a_304_renews_headers_and_may_end_the_keeping(kept: Cache, service: Service, clock: Clock) -> None:
    await get(kept)
    service.headers = [(b"cache-control", b"private"), TAG, (b"x-new", b"1"), (b"content-length", b"99")]
    clock.now += 1
    renewed = await get(kept)
    assert (renewed.body, renewed["x-new"], renewed["content-length"]) == (b"answer", "1", "6")
    await get(kept)
    assert len(service.asked) == 3


async def test_what_is_not_kept_is_passed_on_as_it_comes(clock: Clock) -> None:
    proceed, heard = asyncio.Event(), asyncio.Queue[Message]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [PUBLIC]})  # of no length
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await proceed.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async def receive() -> Message:
        raise AssertionError

    running = asyncio.create_task(Cache(app, 10**6, {}, clock=clock)(scope_of(), receive, heard.put))
    assert (await heard.get())["status"] == 200
    assert (await heard.get())["body"] == b"first"
    proceed.set()
    await running
    assert (await heard.get())["body"] == b"last"


async def test_memory_is_bounded_and_what_is_wanted_stays(clock: Clock) -> None:
    service = Service((b"cache-control", b"public, max-age=600"), body=b"x" * 100_000)
    app = Cache(service, 1_000_000, {}, clock=clock)
    for number in range(50):
        await get(app, path=f"/{number}/")
        await get(app, path="/0/")
    assert app._held <= 1_000_000
    assert app._held == sum(answer.size for answer in app._answers.values())
    assert len(service.asked) == 50
    assert (await get(app, path="/1/")).status == 200
    assert len(service.asked) == 51


async def test_a_large_body_is_not_kept(clock: Clock) -> None:
    service = Service(body=b"x" * (cache.LARGEST + 1))
    app = Cache(service, 10**8, {}, clock=clock)
    assert [len((await get(app)).body) for _ in range(2)] == [cache.LARGEST + 1] * 2
    assert len(service.asked) == 2
