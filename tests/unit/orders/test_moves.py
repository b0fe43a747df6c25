"""The moves of an order are those of the API's table, which is written out here once more."""

from itertools import product
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from services.orders.app import _not_allowed
from services.orders.domain import (
    Actor,
    MoveNotAllowed,
    PaymentStatus,
    Status,
    allowed_moves,
    check_move,
    page_of_moves,
)
from shared.http.problems import problem_of
from tests.contract.apps import app_of

PAGE = Path(__file__).parents[3] / "docs" / "order-life.md"

TABLE = {
    ("pending", "assigned"): {"owner", "admin"},
    ("assigned", "pending"): {"worker", "admin"},
    ("pending", "cancelled"): {"client", "owner", "admin", "system"},
    ("assigned", "cancelled"): {"client", "admin"},
    ("assigned", "in_progress"): {"worker", "admin"},
    ("in_progress", "completed"): {"worker", "admin"},
    ("in_progress", "cancelled"): {"admin"},
}
STATES = ("pending", "assigned", "in_progress", "completed", "cancelled")
ACTORS = ("client", "owner", "worker", "admin", "system")


def is_open(status: str, to: str, *actors: str) -> bool:
    try:
        check_move(Status(status), Status(to), {Actor(actor) for actor in actors})
    except MoveNotAllowed:
        return False
    return True


@pytest.mark.parametrize(("status", "to", "actor"), [*product(STATES, STATES, ACTORS)])
def test_a_move_is_open_to_those_whom_the_table_names_and_to_nobody_else(status: str, to: str, actor: str) -> None:
    assert is_open(status, to, actor) == (actor in TABLE.get((status, to), set()))


@pytest.mark.parametrize(("status", "actor"), [*product(STATES, ACTORS)])
def test_the_allowed_moves_are_the_tables(status: str, actor: str) -> None:
    expected = {to for (start, to), who in TABLE.items() if start == status and actor in who}
    assert {str(to) for to in allowed_moves(Status(status), {Actor(actor)})} == expected


def test_states_and_actors_are_those_of_the_table() -> None:
    assert {*Status} == {*STATES}
    assert {*Actor} == {*ACTORS}
    assert {*PaymentStatus} == {"unpaid", "paid", "partially_refunded", "refunded"}


@pytest.mark.parametrize(("status", "to"), [*product(STATES, STATES)])
def test_nobody_may_move_nothing(status: str, to: str) -> None:
    assert not is_open(status, to)


def test_who_is_several_things_to_an_order_may_what_any_of_them_may() -> None:
    assert is_open("assigned", "in_progress", "owner", "worker")
    assert {*allowed_moves(Status.PENDING, {Actor.OWNER, Actor.CLIENT})} == {Status.ASSIGNED, Status.CANCELLED}


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_an_order_that_has_ended_stays_as_it_is_for_all_at_once(end: str) -> None:
    assert allowed_moves(Status(end), {*Actor}) == []


def test_a_refused_move_names_where_the_order_stands_and_where_it_may_go() -> None:
    with pytest.raises(MoveNotAllowed) as refused:
        check_move(Status.ASSIGNED, Status.COMPLETED, {Actor.WORKER})

    assert refused.value.status == Status.ASSIGNED
    assert refused.value.to == Status.COMPLETED
    assert {*refused.value.allowed} == {Status.PENDING, Status.IN_PROGRESS}


def test_a_client_is_told_of_a_refused_move_by_409_and_the_allowed_ones() -> None:
    error = MoveNotAllowed(Status.ASSIGNED, Status.COMPLETED, [Status.PENDING, Status.IN_PROGRESS])
    answer: JSONResponse = problem_of(_not_allowed(error), "/api/orders/1/status/")

    assert answer.status_code == 409
    assert b'"type":"move-not-allowed"' in answer.body
    assert b'"status_now":"assigned"' in answer.body
    assert b'"allowed":["pending","in_progress"]' in answer.body


def test_the_page_of_the_life_of_an_order_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of_moves(), "python -m services.orders.domain > docs/order-life.md"


def test_the_page_and_the_api_document_say_the_whole_table() -> None:
    operation = app_of("orders").openapi()["paths"]["/api/orders/{order_id}/status/"]["post"]
    for (start, to), who in TABLE.items():
        listed = ", ".join(actor for actor in ACTORS if actor in who)
        assert f"| {start} → {to} | {listed} |" in page_of_moves()
        assert f"| {start} → {to} | {listed} |" in operation["description"]
        assert f"    {start} --> {to}: {listed}\n" in page_of_moves()
    assert page_of_moves().count(" → ") == len(TABLE) + 1
    assert {line.strip() for line in page_of_moves().splitlines() if "[*]" in line} == {
        "[*] --> pending: client",
        "completed --> [*]",
        "cancelled --> [*]",
    }
