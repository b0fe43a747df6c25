"""A route is open to those whom its signature names."""

from typing import Any, NoReturn

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.service_tokens import issue_service_token
from shared.http.internal import OwnerAway
from tests.unit.factories import SESSION_ID, USER_ID, access_token

SECRET = "q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}])
async def test_without_a_token_a_route_for_users_is_401(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await http.get("/api/things/mine/", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["nonsense", issue_service_token(SECRET, "catalog", "orders")])
async def test_what_is_no_access_token_is_401_before_any_key_is_needed(http: httpx.AsyncClient, token: str) -> None:
    answer = await http.get("/api/things/mine/", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401
    assert answer.json()["type"] == "invalid-token"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_nobody_is_believed_because_of_a_header(http: httpx.AsyncClient) -> None:
    headers = {"X-User-Id": "1", "X-User-Role": "admin", "X-Forwarded-User": "admin"}
    assert (await http.get("/api/things/all/", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("path", "role", "status"),
    [
        ("mine", "client", 200),
        ("mine", "worker", 200),
        ("staff", "worker", 200),
        ("staff", "admin", 200),
        ("staff", "client", 403),
        ("all", "admin", 200),
        ("all", "worker", 403),
        ("all", "client", 403),
        ("all", "", 403),
        ("all", "Admin", 403),
    ],
)
async def test_a_role_opens_what_is_for_it(
    http: httpx.AsyncClient, log_in: Any, path: str, role: str, status: int
) -> None:
    log_in(role)
    assert (await http.get(f"/api/things/{path}/")).status_code == status


async def test_a_good_token_is_503_while_the_keys_of_accounts_are_not_known(
    http: httpx.AsyncClient, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> NoReturn:
        raise httpx.ConnectError("away")

    monkeypatch.setattr(app.state.platform.authenticator.keys, "_fetch", away)
    token = access_token(Ed25519PrivateKey.generate())
    answer = await http.get("/api/things/mine/", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


class Accounts:
    """What accounts says of an admin's login."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def find(self, target: str, path: str) -> Any:
        assert (target, path) == ("accounts", f"/internal/admins/{USER_ID}/{SESSION_ID}/")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("role", "accounts_says", "status"),
    [
        ("admin", {"acts": True}, 200),
        ("admin", None, 401),
        ("admin", OwnerAway("away"), 503),
        ("worker", OwnerAway("not even asked"), 200),
        ("client", OwnerAway("not even asked"), 403),
    ],
)
async def test_an_admin_changes_something_only_if_accounts_says_that_they_still_may(
    http: httpx.AsyncClient,
    app: Any,
    log_in: Any,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    accounts_says: Any,
    status: int,
) -> None:
    log_in(role)
    monkeypatch.setattr(app.state.platform, "internal", Accounts(accounts_says))

    assert (await http.post("/api/things/moves/")).status_code == status
