import pytest

from services.catalog.domain import (
    JUDGED,
    MOVES,
    OUTCOMES,
    Actor,
    MoveNotAllowed,
    Order,
    Status,
    check_move,
    free_slug,
    slug_of,
    status_when_edited,
    status_when_offered,
)

ANYTHING = JUDGED | {"price"}


def test_the_orderings_of_a_list_are_those_of_the_contract() -> None:
    assert {*Order} == {"created_at", "-created_at", "price", "-price", "rating", "-rating", "distance", "relevance"}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Home repair", "home-repair"),
        ("Go‘zallik va bog'dorchilik", "gozallik-va-bogdorchilik"),
        ("Oʻqituvchi, xizmatlar!", "oqituvchi-xizmatlar"),
        ("Ремонт бытовой техники", "remont-bytovoy-tekhniki"),
        ("Съёмка: щётки, цифры, ЭЮЯ", "syomka-shchyotki-tsifry-eyuya"),
        ("Ўқув, ғалла ва ҳаво", "oquv-galla-va-havo"),
        ("и\u0306од", "yod"),
        ("Café  №5", "cafe-no5"),
        ("汉语", "category"),
        ("--", "category"),
        ("a" * 200, "a" * 80),
    ],
)
def test_a_slug_is_the_name_in_ascii(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_no_letter_of_the_alphabets_is_lost() -> None:
    silent = {*"ъь"}
    for letter in {*"абвгдеёжзийклмнопрстуфхцчшщъыьэюяўқғҳ"} - silent:
        assert slug_of(letter) != "category", letter
        assert slug_of(letter.upper()) == slug_of(letter)


def test_a_taken_slug_gets_the_first_free_number() -> None:
    assert free_slug("music", set()) == "music"
    assert free_slug("music", {"music"}) == "music-2"
    assert free_slug("music", {"music", "music-2", "music-4"}) == "music-3"


def test_a_moderator_may_approve_and_hide_whatever_is_not_so_already_or_archived() -> None:
    for outcome in OUTCOMES.values():
        starts = {start for (start, end), who in MOVES.items() if end == outcome and Actor.ADMIN in who}
        assert starts == {*Status} - {outcome, Status.ARCHIVED}


def test_a_worker_never_makes_a_service_active() -> None:
    assert not [move for move, who in MOVES.items() if move[1] == Status.ACTIVE and Actor.WORKER in who]


def test_nothing_leaves_the_archive_and_everything_may_be_put_there() -> None:
    assert not [start for start, _ in MOVES if start == Status.ARCHIVED]
    for actor in Actor:
        for status in {*Status} - {Status.ARCHIVED}:
            check_move(status, Status.ARCHIVED, actor)


def test_a_refused_move_names_what_is_allowed() -> None:
    with pytest.raises(MoveNotAllowed) as refused:
        check_move(Status.HIDDEN, Status.ACTIVE, Actor.WORKER)

    assert (refused.value.status, refused.value.to) == (Status.HIDDEN, Status.ACTIVE)
    assert refused.value.allowed == [Status.PENDING, Status.ARCHIVED]


def test_a_new_service_waits_where_new_ones_are_moderated() -> None:
    assert (status_when_offered(moderated=True), status_when_offered(moderated=False)) == ("pending", "active")


@pytest.mark.parametrize("moderated", [True, False])
def test_what_a_worker_changes_of_a_hidden_service_is_looked_at_again(moderated: bool) -> None:
    assert status_when_edited(Status.HIDDEN, Actor.WORKER, {"price"}, moderated=moderated) == Status.PENDING


@pytest.mark.parametrize("field", sorted(JUDGED))
def test_new_words_for_an_approved_service_wait_where_new_services_do(field: str) -> None:
    assert status_when_edited(Status.ACTIVE, Actor.WORKER, {field, "price"}, moderated=True) == Status.PENDING
    assert status_when_edited(Status.ACTIVE, Actor.WORKER, {field, "price"}, moderated=False) == Status.ACTIVE


@pytest.mark.parametrize("moderated", [True, False])
def test_any_other_edit_leaves_a_service_where_it_stands(moderated: bool) -> None:
    for status in Status:
        assert status_when_edited(status, Actor.ADMIN, ANYTHING, moderated=moderated) == status
    assert status_when_edited(Status.ACTIVE, Actor.WORKER, {"price", "city"}, moderated=moderated) == Status.ACTIVE
    assert status_when_edited(Status.PENDING, Actor.WORKER, ANYTHING, moderated=moderated) == Status.PENDING


def test_an_edit_goes_no_way_that_is_not_in_the_table() -> None:
    for status in {*Status} - {Status.ARCHIVED}:
        for actor in Actor:
            for moderated in (True, False):
                after = status_when_edited(status, actor, ANYTHING, moderated=moderated)
                assert after == status or actor in MOVES[status, after]
