"""A change to what one has seen is made to nothing newer."""

import pytest

from shared.errors import PreconditionFailed
from shared.http.preconditions import Precondition, entity_tags, version_tag


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        (['"3"'], {'"3"'}),
        (['"3", "4.ab"'], {'"3"', '"4.ab"'}),
        (['"3"', '"4"'], {'"3"', '"4"'}),
        ([' "3" ,\t"4",, '], {'"3"', '"4"'}),
        (['"a,b", "c"'], {'"a,b"', '"c"'}),
        (['""'], {'""'}),
        (["*"], {"*"}),
        ([" * "], {"*"}),
        (['"*"'], {'"*"'}),
        (['"é\xff"'], {'"é\xff"'}),
        ([], set()),
        ([""], set()),
    ],
)
def test_a_header_lists_tags(lines: list[str], tags: set[str]) -> None:
    assert entity_tags(lines, weak=False) == entity_tags(lines, weak=True) == tags


@pytest.mark.parametrize("line", ["3", "'3'", '"3', '3"', '"a b"', '"3"4', "*, 3", "w/*"])
def test_what_is_no_tag_names_nothing(line: str) -> None:
    assert entity_tags([line], weak=True) == set()


def test_what_is_no_tag_does_not_hide_those_beside_it() -> None:
    assert entity_tags(['3, "4", *, "5"'], weak=False) == {'"4"', '"5"'}


def test_a_weak_tag_counts_only_where_weak_ones_do() -> None:
    assert entity_tags(['W/"3", "4"'], weak=False) == {'"4"'}
    assert entity_tags(['W/"3", "4"'], weak=True) == {'"3"', '"4"'}
    assert entity_tags(['w/"3"'], weak=True) == set()


@pytest.mark.parametrize(
    "if_match", [None, ["*"], ['"3"'], ['"3.0a1b"'], ['"2", "3"'], ['"2"', '"3"'], [version_tag(3)]]
)
def test_the_version_that_is_named_may_be_changed(if_match: list[str] | None) -> None:
    Precondition(if_match).check(3)


@pytest.mark.parametrize(
    "if_match",
    [['"2"'], ['"30"'], ['"2.3"'], ['W/"3"'], ["3"], [""], ['"*"'], ['"03"'], ['"3x"'], ['"2", "4.3"']],
)
def test_any_other_version_may_not(if_match: list[str]) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        Precondition(if_match).check(3)

    assert (refused.value.status, refused.value.slug) == (412, "version-mismatch")
    assert refused.value.members == {"version": 3}
