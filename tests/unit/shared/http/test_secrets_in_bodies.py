"""Cards and passwords in bodies that are refused appear nowhere in the answer."""

from functools import cache
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from marketplace.registry import service_app, service_settings
from shared.auth.users import User
from shared.messaging.local import LocalBus, LocalHub
from tests.unit.factories import USER_ID, user

CLIENT = user("client")
NUMBER = "4242424242424242"
CARD = {"number": NUMBER, "exp_month": 12, "exp_year": 2099, "cvc": "987"}


@cache
def app_of(service: str) -> Any:
    settings = service_settings(service, env="development", database_url="postgresql://nobody@localhost:1/none")
    return service_app(service, settings, LocalBus(LocalHub(), service))


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async def the_client(*_: object) -> User:
        return CLIENT

    monkeypatch.setattr("shared.auth.users.user_of", the_client)


def client_of(service: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app_of(service)), base_url="http://service")


@pytest.mark.parametrize(
    "body",
    [
        {"method": "card", "card": {**CARD, "number": "4242424242424241"}},
        {"method": "card", "card": {**CARD, "exp_year": 2001}},
        {"method": "card", "card": {**CARD, "exp_month": "4242424242424242"}},
        {"method": "card", "card": {**CARD, "number": int(NUMBER)}},
        {"method": "card", "card": {**CARD, "cvc": "9879879"}},
        {"method": "card", "card": {**CARD, "holder": NUMBER}},
        {"method": "card", "card": NUMBER},
        {"method": "card", "card": [CARD]},
        {"method": "card"} | CARD,
        {"method": "payme", "card": CARD},
        {"method": NUMBER},
        {"method": "payme", NUMBER: 1},
        [CARD],
        NUMBER,
    ],
)
async def test_a_card_in_a_bad_body_is_not_said_again_and_not_logged(body: Any) -> None:
    async with client_of("payments") as http:
        with capture_logs() as logs:
            # Ids and durations of the test's own: three digits of a code would stand in a random one now and then.
            answer = await http.post(f"/api/payments/order/{USER_ID}/pay/", json=body, headers={"X-Request-ID": "r"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.text + str([{name: value for name, value in line.items() if name != "ms"} for line in logs])
    assert not [secret for secret in ("424242424242", "987") if secret in said]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("register", {"email": "no address", "password": "hunter2-hunter2"}),
        ("register", {"email": "a@example.com", "password": "hunter2"}),
        ("register", {"email": "a@example.com", "password": ["hunter2"]}),
        ("register", {"email": "hunter2", "password": "x", "full_name": "hunter2\x00", "role": "hunter2"}),
        ("login", {"email": "a@example.com", "password": "hunter2" * 30}),
        ("login", {"email": "a@example.com", "password": {"hunter": "hunter2"}}),
        ("login", {"email": "a@example.com", "password": "hunter2", "more": "hunter2"}),
        ("refresh", {"refresh": "hunter2" * 400}),
        ("refresh", {"refresh": {"is": "hunter2"}}),
        ("logout", ["hunter2"]),
    ],
)
async def test_a_password_or_token_in_a_bad_body_is_not_said_again_and_not_logged(path: str, body: Any) -> None:
    async with client_of("accounts") as http:
        with capture_logs() as logs:
            answer = await http.post(f"/api/auth/{path}/", json=body)

    assert answer.status_code == 422
    assert "hunter2" not in answer.text + str(logs)
