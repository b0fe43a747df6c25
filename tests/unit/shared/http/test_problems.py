"""Every error is a problem document, and none says more than its reader may know."""

from collections.abc import Callable

import httpx
import pytest
from structlog.testing import capture_logs


def assert_problem(answer: httpx.Response, status: int, slug: str, path: str) -> None:
    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == slug
    assert body["instance"] == path
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]


@pytest.mark.parametrize(
    ("kind", "status", "slug", "detail"),
    [
        ("unauthenticated", 401, "unauthenticated", "Log in first."),
        ("forbidden", 403, "forbidden", "Not for you."),
        ("not-found", 404, "not-found", "There is no such thing."),
        ("conflict", 409, "already-sold", "It is sold."),
        ("unavailable", 503, "unavailable", "Come again."),
        ("framework", 429, "too-many-requests", "Slow down."),
        ("domain", 409, "refused", "the domain says no"),
    ],
)
async def test_an_expected_refusal_says_what_and_why(
    http: httpx.AsyncClient, kind: str, status: int, slug: str, detail: str
) -> None:
    answer = await http.get(f"/api/things/error/{kind}/")

    assert_problem(answer, status, slug, f"/api/things/error/{kind}/")
    assert answer.json()["detail"] == detail


async def test_a_refusal_may_say_more_in_members_of_its_own(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/things/error/conflict/")).json()["buyer"] == "someone"


async def test_401_names_the_way_to_authenticate(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/things/error/unauthenticated/")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("kind", "seconds"), [("unavailable", "7"), ("framework", "5")])
async def test_what_may_be_tried_again_says_when(http: httpx.AsyncClient, kind: str, seconds: str) -> None:
    assert (await http.get(f"/api/things/error/{kind}/")).headers["retry-after"] == seconds


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/nowhere"), 404, "not-found", "/nowhere")
    wrong = await http.delete("/api/things/")
    assert_problem(wrong, 405, "method-not-allowed", "/api/things/")
    assert "GET" in wrong.headers["allow"]


async def test_an_unexpected_error_is_a_500_that_says_nothing_but_its_id(http: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        answer = await http.get("/api/things/error/unexpected/", headers={"X-Request-ID": "req-1"})

    assert_problem(answer, 500, "internal-error", "/api/things/error/unexpected/")
    assert answer.json()["request_id"] == "req-1"
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert [line["event"] for line in logs] == ["unexpected_error", "request"]


async def test_invalid_input_names_each_field_why_and_by_which_code(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/things/", json={"price": "-1", "colour": "red"})

    assert_problem(answer, 422, "invalid", "/api/things/")
    assert {(error["field"], error["code"]) for error in answer.json()["errors"]} == {
        ("title", "missing"),
        ("price", "price"),
        ("colour", "extra_forbidden"),
    }
    assert {*answer.json()["errors"][0]} == {"field", "message", "code"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "x", "price": "1", "password": "hunter2"}',
        b'{"title": "x", "price": "hunter2"}',
        b'{"title": {"deep": "hunter2"}, "price": ["hunter2"]}',
        b'["hunter2"]',
        b'"hunter2"',
        b'{"title": "hunter2"',
        b"hunter2",
        b'{"title": "\\u0000hunter2", "price": "1"}',
        b'{"title": "\\ud800hunter2", "price": "1"}',
    ],
)
async def test_invalid_input_is_never_said_again(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/api/things/", content=body, headers={"Content-Type": "application/json"})

    assert_problem(answer, 422, "invalid", "/api/things/")
    assert "hunter2" not in answer.text


async def test_a_body_that_is_no_text_is_a_problem_and_no_crash(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/things/", content=b"\xff\xfe", headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/api/things/", "GET, POST"), ("OPTIONS", "/api/things", "GET, POST"), ("PUT", "/health/live", "GET")],
)
async def test_a_method_that_is_not_there_is_answered_with_all_that_are(
    http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await http.request(method, path)

    assert (answer.status_code, answer.json()["type"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


async def test_who_asks_is_checked_before_what_is_asked_for(
    http: httpx.AsyncClient, log_in: Callable[[str], None]
) -> None:
    path = "/api/things/mine/?cursor=of-my-own"
    assert_problem(await http.get(path), 401, "unauthenticated", "/api/things/mine/")

    log_in("client")

    refused = await http.get(path)
    assert_problem(refused, 422, "invalid", "/api/things/mine/")
    assert [(error["field"], error["code"]) for error in refused.json()["errors"]] == [("cursor", "cursor")]


@pytest.mark.parametrize("host", ["evil.example/x?y=", "evil.example#", "a:b:c", "[::1", ""])
async def test_what_the_host_header_says_changes_no_path(http: httpx.AsyncClient, host: str) -> None:
    answer = await http.get("/api/things/error/not-found/", headers={"Host": host})
    assert_problem(answer, 404, "not-found", "/api/things/error/not-found/")
