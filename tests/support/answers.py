"""Whether an answer is what the OpenAPI document of its service says."""

from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from tests.contract.apps import PROBLEM, app_of

JSON = "application/json"


def assert_success(service: str, operation: dict[str, Any], answer: httpx.Response) -> Any:
    """The body, which is of the documented kind and holds nothing that the document is silent of."""
    documented = operation["responses"][str(answer.status_code)].get("content")
    if documented is None:
        assert answer.content == b""
        return None
    assert answer.headers["content-type"] == JSON
    _assert_valid(service, _closed(documented[JSON]["schema"]), answer.json())
    return answer.json()


def assert_problem(service: str, operation: dict[str, Any], answer: httpx.Response, status: int, slug: str) -> None:
    """It is the problem `slug`, with a status that the document names; 401 says how to authenticate."""
    assert answer.status_code == status, answer.text
    assert str(status) in operation["responses"], f"{status} is not documented"
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    _assert_valid(service, {"$ref": "#/components/schemas/Problem"}, problem)
    assert (problem["type"], problem["status"]) == (slug, status)
    assert problem["instance"] == answer.request.url.path
    assert problem["request_id"] == answer.headers["x-request-id"]
    challenge = 'Bearer error="invalid_token"' if slug == "invalid-token" else "Bearer"
    assert answer.headers.get("www-authenticate") == (challenge if status == 401 else None)


def _assert_valid(service: str, schema: Any, body: Any) -> None:
    whole = schema | {"components": _components(service)}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body)


@cache
def _components(service: str) -> Any:
    return _closed(app_of(service).openapi()["components"])


def _closed(node: Any) -> Any:
    """A copy in which an object has its own fields and no others, unless it says that it may: what answers hold and
    the document is silent of is a leak."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _closed(value) for key, value in node.items()}
    is_model = copy.get("type") == "object" and "properties" in copy
    return {"additionalProperties": False} | copy if is_model else copy
