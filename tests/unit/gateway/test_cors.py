"""Pages of named origins read our answers; of others none."""

import pytest
from pydantic import ValidationError

from gateway.cors import Cors
from tests.unit.gateway.asgi import answering, call, scope_of, settings

SHOP = ("origin", "https://shop.example")
EVIL = ("origin", "https://evil.example")
ASKS = ("access-control-request-method", "PATCH")
APP = Cors(answering(headers=[(b"vary", b"Accept-Language")]), ("https://Shop.example:443", "http://localhost:3000"))


async def test_a_preflight_is_answered_here() -> None:
    answer = await call(APP, scope_of("/api/orders/", SHOP, ASKS, method="OPTIONS"))
    assert (answer.status, answer.body) == (204, b"")
    assert answer["access-control-allow-origin"] == "https://shop.example"
    assert "PATCH" in answer["access-control-allow-methods"]
    assert {"Authorization", "Idempotency-Key", "If-Match"} <= set(answer["access-control-allow-headers"].split(", "))
    assert answer["vary"] == "Origin"
    assert answer["access-control-allow-credentials"] == ""


@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", "https://shop.example:444", "null"])
async def test_a_preflight_of_another_origin_is_refused(origin: str) -> None:
    answer = await call(APP, scope_of("/api/orders/", ("origin", origin), ASKS, method="OPTIONS"))
    assert answer.status == 403
    assert answer.json()["type"] == "forbidden"
    assert answer["access-control-allow-origin"] == ""
    assert answer["vary"] == "Origin"


async def test_without_any_origin_named_preflights_are_refused_and_nothing_else_changes() -> None:
    app = Cors(answering(), ())
    assert (await call(app, scope_of("/api/orders/", SHOP, ASKS, method="OPTIONS"))).status == 403
    assert (await call(app, scope_of("/api/orders/", SHOP))).headers == ()


async def test_a_page_may_read_the_answer_and_the_headers_that_matter() -> None:
    answer = await call(APP, scope_of("/api/orders/", SHOP))
    assert answer["access-control-allow-origin"] == "https://shop.example"
    exposed = set(answer["access-control-expose-headers"].split(", "))
    assert {"ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"} <= exposed
    assert answer["vary"] == "Accept-Language, Origin"


@pytest.mark.parametrize("headers", [(EVIL,), ()])
async def test_what_no_page_may_read_still_varies_by_origin(headers: tuple[tuple[str, str], ...]) -> None:
    answer = await call(APP, scope_of("/api/orders/", *headers))
    assert answer.status == 200
    assert answer["access-control-allow-origin"] == ""
    assert answer["vary"] == "Accept-Language, Origin"


async def test_options_that_is_no_preflight_is_the_services() -> None:
    assert (await call(APP, scope_of("/api/orders/", SHOP, method="OPTIONS"))).body == b"ok"


async def test_a_star_is_any_origin() -> None:
    app = Cors(answering(), ("*",))
    assert (await call(app, scope_of("/", EVIL)))["access-control-allow-origin"] == "https://evil.example"


@pytest.mark.parametrize("text", ["shop.example", "https://", "ftp://shop.example", "null"])
def test_what_is_no_origin_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        settings(cors_origins=text)
