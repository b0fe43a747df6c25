"""Public answers may be kept for a moment, and asked for again without being sent again."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from shared.http.caching import public_answer

THING = {"id": 1, "name": "oʻzbek"}


def answer(*headers: tuple[str, str], content: Any = THING, version: int = 7) -> Response:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return public_answer(Request({"type": "http", "headers": raw}), content, version=version)


def tag(**of: Any) -> str:
    return answer(**of).headers["etag"]


def test_a_public_answer_says_who_may_keep_it_and_for_how_long() -> None:
    said = answer()

    assert (said.status_code, said.media_type) == (200, "application/json")
    assert said.body == '{"id":1,"name":"oʻzbek"}'.encode()
    assert said.headers["cache-control"] == "public, s-maxage=1, must-revalidate"
    assert said.headers["content-length"] == str(len(said.body))


def test_its_tag_is_strong_and_begins_with_the_version() -> None:
    assert tag().startswith('"7.')
    assert tag().endswith('"')
    assert tag() == tag(content=dict(THING))


def test_its_tag_changes_with_the_version_and_with_the_content() -> None:
    assert len({tag(), tag(version=8), tag(content={"id": 2})}) == 3


def test_a_list_has_no_version() -> None:
    said = public_answer(Request({"type": "http", "headers": []}), {"results": []})
    assert said.headers["etag"].startswith('"0.')


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '{} , W/"y,z"', "*"])
def test_who_has_it_is_not_sent_it_again(form: str) -> None:
    said = answer(("If-None-Match", form.format(tag())))

    assert (said.status_code, said.body) == (304, b"")
    assert {name: said.headers[name] for name in ("etag", "cache-control", "vary")} == {
        name: answer().headers[name] for name in ("etag", "cache-control", "vary")
    }
    assert "content-type" not in said.headers


def test_the_tags_may_stand_in_several_lines() -> None:
    assert answer(("If-None-Match", '"x"'), ("If-None-Match", tag())).status_code == 304


@pytest.mark.parametrize("value", ['"7"', '"7."', "7", "", '"*"', '"x"'])
def test_who_has_something_else_is_sent_it(value: str) -> None:
    assert answer(("If-None-Match", value)).status_code == 200


@pytest.mark.parametrize("more", [[], [("If-None-Match", "*")]])
def test_what_someone_who_says_who_they_are_gets_stays_out_of_shared_caches(more: list[tuple[str, str]]) -> None:
    said = answer(("Authorization", "Bearer x"), *more)

    assert said.headers["cache-control"] == "private, no-cache"


def test_what_is_kept_for_nobody_in_particular_is_no_answer_to_someone() -> None:
    assert answer().headers["vary"].split(", ") == ["Accept-Language", "Accept-Encoding", "Authorization"]
