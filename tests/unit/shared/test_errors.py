"""Refusals say what they are."""

from datetime import timedelta

import pytest

from shared.errors import (
    Conflict,
    Forbidden,
    Invalid,
    MarketplaceError,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    invalid_field,
)


@pytest.mark.parametrize(
    ("kind", "status", "slug"),
    [
        (Unauthenticated, 401, "unauthenticated"),
        (Forbidden, 403, "forbidden"),
        (NotFound, 404, "not-found"),
        (Conflict, 409, "conflict"),
        (Invalid, 422, "invalid"),
        (Unavailable, 503, "unavailable"),
    ],
)
def test_each_refusal_has_its_status_and_slug(kind: type[MarketplaceError], status: int, slug: str) -> None:
    error = kind("Why.")
    assert (error.status, error.slug, error.detail, str(error)) == (status, slug, "Why.", "Why.")


def test_a_refusal_may_have_a_slug_of_its_own_and_others_keep_theirs() -> None:
    assert Conflict("x", slug="email-taken").slug == "email-taken"
    assert Conflict("x").slug == "conflict"


def test_an_invalid_field_is_named() -> None:
    assert invalid_field("city", "No such city.", "unknown").members == {
        "errors": [{"field": "city", "message": "No such city.", "code": "unknown"}]
    }


def test_what_is_away_says_when_to_come_again() -> None:
    assert Unavailable("x", retry_after=3).headers == {"Retry-After": "3"}


@pytest.mark.parametrize(
    ("seconds", "header"), [(0.001, "1"), (1, "1"), (1.001, "2"), (59.5, "60"), (0, "1"), (-1, "1")]
)
def test_who_asks_too_often_is_told_when_to_ask_again_in_whole_seconds(seconds: float, header: str) -> None:
    error = TooManyRequests("x", retry_after=timedelta(seconds=seconds))
    assert (error.status, error.slug, error.headers) == (429, "too-many-requests", {"Retry-After": header})
