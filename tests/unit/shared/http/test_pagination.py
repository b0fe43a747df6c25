"""Pages that begin where the last one ended, in both directions, and cursors that are taken from us alone."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import BigInteger, Column, DateTime, MetaData, Numeric, Table, Uuid, select
from sqlalchemy.dialects import postgresql

from shared.errors import Invalid
from shared.http.pagination import Cursor, Ordering, PageRequest, parse_decimal, parse_id, parse_seq, parse_time
from shared.ids import new_id

THINGS = Table(
    "things",
    MetaData(),
    Column("created_at", DateTime(timezone=True)),
    Column("price", Numeric(14, 2)),
    Column("seq", BigInteger),
    Column("id", Uuid),
)
BY_TIME = Ordering((THINGS.c.created_at, THINGS.c.id), (parse_time, parse_id), descending=True)
BY_PRICE = Ordering((THINGS.c.price, THINGS.c.id), (parse_decimal, parse_id), descending=False)
BY_SEQ = Ordering((THINGS.c.seq,), (parse_seq,), descending=True)


def request(cursor: Cursor | None = None, limit: int = 2, **query: str) -> PageRequest:
    return PageRequest(limit, cursor, "/api/things/", query)


def sql(cursor: Cursor | None, ordering: Ordering) -> str:
    page = request(cursor).apply(select(THINGS.c.id), ordering)
    compiled = page.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    return " ".join(str(compiled).split())


def cursor_of(address: str) -> Cursor:
    return Cursor.decode(dict(parse_qsl(urlsplit(address).query))["cursor"])


def forged(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_any_cursor_comes_back_as_it_went() -> None:
    chance = random.Random(3)
    letters = "abc ,\"'\\/?&=%+\u0000\n–ўقа😀"
    for _ in range(500):
        values = ["".join(chance.choices(letters, k=chance.randrange(20))) for _ in range(chance.randrange(4))]
        cursor = Cursor(values, chance.random() < 0.5)
        assert Cursor.decode(cursor.encode()) == cursor


def test_a_cursor_needs_no_escaping_in_an_address() -> None:
    chance = random.Random(5)
    for _ in range(200):
        text = Cursor(["".join(chance.choices("aÿ?>~–", k=12))]).encode()
        assert text.replace("-", "").replace("_", "").isalnum()
        assert text.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "%%%",
        "é",
        "AAAA",
        forged(None),
        forged(5),
        forged("0x"),
        forged({}),
        forged([]),
        forged({"0": "x"}),
        forged([2, "x"]),
        forged(["0", "x"]),
        forged([0, 5]),
        forged([0, None]),
        forged([0, ["x"]]),
        forged([[], "x"]),
        base64.urlsafe_b64encode(b"[" * 740).decode(),
        "A" * 1000,
    ],
)
def test_what_is_no_cursor_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Cursor.decode(text)
    assert [error["field"] for error in refused.value.members["errors"]] == ["cursor"]


@pytest.mark.parametrize(
    ("ordering", "values"),
    [
        (BY_TIME, ["yesterday", str(new_id())]),
        (BY_TIME, ["2026-01-02T03:04:05", str(new_id())]),
        (BY_TIME, ["2026-01-02T03:04:05+00:00", "no id"]),
        (BY_TIME, ["2026-01-02T03:04:05+00:00"]),
        (BY_TIME, []),
        (BY_TIME, ["2026-01-02T03:04:05+00:00", str(new_id()), "more"]),
        (BY_TIME, ["150000.00", str(new_id())]),
        (BY_PRICE, ["2026-01-02T03:04:05+00:00", str(new_id())]),
        (BY_PRICE, ["NaN", str(new_id())]),
        (BY_PRICE, ["-Infinity", str(new_id())]),
        (BY_SEQ, ["1; DROP TABLE things"]),
        (BY_SEQ, ["1.5"]),
    ],
)
def test_a_cursor_of_another_list_is_refused(ordering: Ordering, values: list[str]) -> None:
    with pytest.raises(Invalid):
        request(Cursor(values)).apply(select(THINGS.c.id), ordering)


@pytest.mark.parametrize(
    ("ordering", "values"),
    [
        (BY_SEQ, [str(2**63)]),
        (BY_SEQ, ["-1"]),
        (BY_SEQ, ["9" * 900]),
        (BY_PRICE, ["1e999999", str(new_id())]),
        (BY_PRICE, ["-1e12", str(new_id())]),
    ],
    ids=["bigint", "negative", "long", "overflow", "price"],
)
def test_a_cursor_with_a_number_that_no_column_holds_is_refused(ordering: Ordering, values: list[str]) -> None:
    with pytest.raises(Invalid):
        request(Cursor(values)).apply(select(THINGS.c.id), ordering)


def test_the_first_page_is_one_row_longer_than_asked() -> None:
    assert sql(None, BY_TIME) == (
        "SELECT things.id FROM things ORDER BY things.created_at DESC, things.id DESC LIMIT 3"
    )


def test_a_page_walks_on_from_its_cursor_and_back_to_it_the_other_way() -> None:
    assert sql(Cursor(["7"]), BY_SEQ).endswith("WHERE (things.seq) < (7) ORDER BY things.seq DESC LIMIT 3")
    assert sql(Cursor(["7"], True), BY_SEQ).endswith("WHERE (things.seq) > (7) ORDER BY things.seq ASC LIMIT 3")
    ascending = BY_SEQ._replace(descending=False)
    assert sql(Cursor(["7"]), ascending).endswith("WHERE (things.seq) > (7) ORDER BY things.seq ASC LIMIT 3")
    assert sql(Cursor(["7"], True), ascending).endswith("WHERE (things.seq) < (7) ORDER BY things.seq DESC LIMIT 3")


def test_ties_are_told_apart_by_all_columns_at_once() -> None:
    id_ = new_id()
    said = sql(Cursor(["150000.00", str(id_)]), BY_PRICE)
    assert f"WHERE (things.price, things.id) > (150000.00, '{id_}')" in said


def read_page(rows: list[int], page: PageRequest) -> dict[str, Any]:
    """What the database and `PageRequest` together answer, for rows that are ordered as they stand."""
    found = rows
    if page.cursor:
        edge = int(page.cursor.values[0])
        found = [row for row in rows if row < edge][::-1] if page.cursor.backwards else [r for r in rows if r > edge]
    return page.page(found[: page.limit + 1], key=lambda row: [row])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 20, 21])
@pytest.mark.parametrize("limit", [1, 2, 3, 20])
def test_walking_forth_and_back_meets_every_row_once(count: int, limit: int) -> None:
    rows = [*range(count)]
    forth = [read_page(rows, request(limit=limit))]
    while address := forth[-1]["next"]:
        forth.append(read_page(rows, request(cursor_of(address), limit)))
    back = [forth[-1]]
    while address := back[-1]["previous"]:
        back.append(read_page(rows, request(cursor_of(address), limit)))

    assert [row for page in forth for row in page["results"]] == rows
    assert [row for page in back[::-1] for row in page["results"]] == rows
    assert forth[0]["previous"] is None
    assert back[-1]["results"] == rows[: len(back[-1]["results"])]


def test_who_turned_back_can_turn_forth_again() -> None:
    rows = [*range(7)]
    first = read_page(rows, request())
    second = read_page(rows, request(cursor_of(first["next"])))
    again = read_page(rows, request(cursor_of(second["previous"])))

    assert again["results"] == first["results"]
    assert read_page(rows, request(cursor_of(again["next"])))["results"] == second["results"]


def test_an_empty_list_has_no_neighbours() -> None:
    assert read_page([], request()) == {"results": [], "next": None, "previous": None}


def test_a_full_last_page_promises_no_next_one() -> None:
    assert read_page([0, 1], request(limit=2))["next"] is None


def test_neighbours_keep_the_rest_of_the_query() -> None:
    page = request(limit=1, status="pending", search="a&b=c")
    address = page.page([0, 1], key=lambda row: [row])["next"]

    assert address.startswith("/api/things/?")
    query = dict(parse_qsl(urlsplit(address).query))
    assert query.pop("cursor")
    assert query == {"status": "pending", "search": "a&b=c"}


def test_a_time_in_a_cursor_keeps_its_microseconds_and_zone() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    address = request(limit=1).page([at, at - timedelta(1)], key=lambda row: [row, new_id()])["next"]

    assert parse_time(cursor_of(address).values[0]) == at
