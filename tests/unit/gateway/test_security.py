"""What browsers are told of every answer."""

import pytest
from starlette.types import Receive, Scope, Send

from gateway.security import SecurityHeaders
from tests.unit.gateway.asgi import Answer, answering, call, scope_of

APP = SecurityHeaders(answering(headers=[(b"server", b"uvicorn")]))


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_every_answer_is_data_and_no_page(kind: str) -> None:
    answer = await call(APP, scope_of("/api/orders/", type=kind)) if kind == "http" else await refused()
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["referrer-policy"] == "no-referrer"
    assert answer["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer["cross-origin-resource-policy"] == "same-origin"
    assert answer["server"] == ""


async def refused() -> Answer:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})

    return await call(SecurityHeaders(app), scope_of("/ws/notifications/", type="websocket"))


async def test_what_an_answer_says_itself_stays() -> None:
    own = [(b"content-security-policy", b"default-src 'self'"), (b"cache-control", b"public, max-age=5")]
    app = SecurityHeaders(answering(headers=own))
    answer = await call(app, scope_of("/api/auth/x/"))
    assert answer["content-security-policy"] == "default-src 'self'"
    assert answer["cache-control"] == "public, max-age=5"


async def test_pictures_may_be_shown_on_any_page() -> None:
    assert (await call(APP, scope_of("/media/x.webp")))["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize(
    ("path", "said"), [("/api/auth/login/", "no-store"), ("/api/payments/", "no-store"), ("/api/services/", "")]
)
async def test_answers_about_logins_and_money_are_not_kept(path: str, said: str) -> None:
    assert (await call(APP, scope_of(path)))["cache-control"] == said


@pytest.mark.parametrize(("scheme", "said"), [("https", "max-age=31536000"), ("http", "")])
async def test_who_came_by_tls_is_told_to_come_so_again(scheme: str, said: str) -> None:
    assert (await call(APP, scope_of(scheme=scheme)))["strict-transport-security"] == said
