"""Under which id the logs and events of a request stand, and where in which trace."""

from contextvars import Context, copy_context
from typing import Any
from uuid import UUID

import pytest

from shared.observability.context import (
    current_request_id,
    current_traceparent,
    in_trace,
    parse_traceparent,
    request_id_or_none,
    set_request_id,
)


def apart(work: Any, *values: Any) -> Any:
    """The same as `work(*values)`, and nobody else's context changes."""
    return copy_context().run(work, *values)


@pytest.mark.parametrize("given", ["abc", "01890000-0000-7000-8000-000000000001", "a.b_c:d-1", "x" * 128])
def test_a_harmless_id_is_taken_over(given: str) -> None:
    def work() -> tuple[str, str, str | None]:
        return set_request_id(given), current_request_id(), request_id_or_none()

    assert apart(work) == (given, given, given)


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", "a\nb", "id\n", "a\r\nSet-Cookie: x", '"', "é", "<script>"]
)
def test_any_other_is_replaced_by_a_new_one(given: str | None) -> None:
    def work() -> tuple[str, str]:
        return set_request_id(given), current_request_id()

    made, current = apart(work)
    assert made == current
    assert UUID(made).version == 7


def test_without_a_request_each_thing_has_an_id_of_its_own() -> None:
    assert Context().run(request_id_or_none) is None
    assert Context().run(lambda: current_request_id() != current_request_id())


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "nonsense",
        f"00-{'0' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"ff-{'a' * 32}-{'b' * 16}-01",
        f"00-{'A' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'b' * 16}-01-more",
        f"00-{'a' * 32}-{'b' * 16}-01\n",
    ],
)
def test_what_is_no_place_in_a_trace_is_none(written: str | None) -> None:
    assert parse_traceparent(written) is None


def test_a_place_in_a_trace_holds_as_long_as_it_is_worked_on() -> None:
    outer, inner = f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'c' * 16}-00"
    assert parse_traceparent(outer) == outer
    with in_trace(outer):
        with in_trace(inner):
            assert current_traceparent() == inner
        assert current_traceparent() == outer
    assert current_traceparent() is None
