"""Ids sort by the moment they were made."""

from shared.ids import new_id


def test_ids_are_uuids_of_version_7_that_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]

    assert made == sorted(made)
    assert len({*made}) == len(made)
    assert {id_.version for id_ in made} == {7}
