"""Keyset pagination: a page deep in a list costs what the first one costs.

A cursor holds the ordering values of the row beside which the page begins, and the direction; it is opaque to clients.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError
from sqlalchemy import BigInteger, bindparam, tuple_

from shared.errors import Invalid, invalid_field

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` and `previous` are addresses relative to this host."""

    results: list[T]
    next: str | None = Field(description="Address of the next page, relative to this host")
    previous: str | None = Field(description="Address of the page before, relative to this host")


class Ordering(NamedTuple):
    """The columns a list is ordered by, all in one direction, so that an index on them walks to any page at once.

    The last column must be unique, so that ties have a place too; none may be null.
    """

    columns: Sequence[Any]
    parsers: Sequence[Callable[[str], Any]]
    """From its text in a cursor back to each column's value; `ValueError` for what is none."""
    descending: bool


@dataclass(frozen=True)
class Cursor:
    values: list[str]
    backwards: bool = False

    def encode(self) -> str:
        data = json.dumps([int(self.backwards), *self.values], separators=(",", ":"))
        return base64.urlsafe_b64encode(data.encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raise `Invalid` for what this server has not made."""
        try:
            direction, *values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if direction not in (0, 1) or not all(isinstance(value, str) for value in values):
                raise ValueError("not a cursor")
        except (ValueError, TypeError) as error:
            raise invalid_field("cursor", "This is not a cursor of this list.", "cursor") from error
        return cls(values, bool(direction))


class Place(Enum):
    """Where a page lies: at the beginning, or on one side of a cursor."""

    FIRST = "first"
    AFTER = "after"
    BEFORE = "before"


@dataclass(frozen=True)
class PageRequest:
    """Which page of a list is asked for."""

    limit: int
    cursor: Cursor | None
    path: str
    query: Mapping[str, str]

    @property
    def backwards(self) -> bool:
        """Whether the page is the one before its cursor."""
        return self.place == Place.BEFORE

    @property
    def place(self) -> "Place":
        """Where the page lies, as the statement has to know it; the rest are `values`."""
        if self.cursor is None:
            return Place.FIRST
        return Place.BEFORE if self.cursor.backwards else Place.AFTER

    def values(self, ordering: Ordering) -> dict[str, Any]:
        """What a statement of `paged` is given. Raises `Invalid` for a cursor of another ordering."""
        values = _parsed(self.cursor, ordering) if self.cursor else ()
        return {"page_limit": self.limit + 1} | {f"edge_{number}": value for number, value in enumerate(values)}

    def apply(self, statement: Any, ordering: Ordering) -> Any:
        """The statement of this page alone."""
        values = self.values(ordering)
        return paged(statement, ordering, self.place).params(values)

    def page(self, rows: Sequence[Any], key: Callable[[Any], Sequence[Any]]) -> dict[str, Any]:
        """The page as it is answered; `key` gives a row's values in the ordering's columns."""
        backwards = self.backwards
        more = len(rows) > self.limit
        results = list(rows[: self.limit])
        if backwards:
            results.reverse()
        has_next = bool(results) and (more or backwards)
        has_previous = bool(results) and (more if backwards else self.cursor is not None)
        return {
            "results": results,
            "next": self._address(Cursor(_texts(key(results[-1])))) if has_next else None,
            "previous": self._address(Cursor(_texts(key(results[0])), backwards=True)) if has_previous else None,
        }

    def _address(self, cursor: Cursor) -> str:
        return f"{self.path}?{urlencode({**self.query, 'cursor': cursor.encode()})}"


def paged(statement: Any, ordering: Ordering, place: Place) -> Any:
    """The statement of one page: ordered, begun at the cursor, one row longer than asked, to see if more follow.

    It is the same for all pages that lie so; `PageRequest.values` says which it is.
    """
    descending = ordering.descending ^ (place == Place.BEFORE)
    if place != Place.FIRST:
        numbered = enumerate(ordering.columns)
        edge = tuple_(*(bindparam(f"edge_{number}", type_=column.type) for number, column in numbered))
        here = tuple_(*ordering.columns)
        statement = statement.where(here < edge if descending else here > edge)
    order = [column.desc() if descending else column.asc() for column in ordering.columns]
    return statement.order_by(*order).limit(bindparam("page_limit", type_=BigInteger))


def _parsed(cursor: Cursor, ordering: Ordering) -> list[Any]:
    try:
        return [parse(text) for parse, text in zip(ordering.parsers, cursor.values, strict=True)]
    except (ValueError, ArithmeticError) as error:
        raise invalid_field("cursor", "This cursor belongs to another ordering.", "cursor") from error


def _texts(values: Sequence[Any]) -> list[str]:
    return [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]


def _said_of_the_query(text: str) -> str:
    """A cursor that is none counts as a value of the query that can't be taken: who asks is checked before that."""
    try:
        Cursor.decode(text)
    except Invalid as error:
        raise PydanticCustomError("cursor", "This is not a cursor of this list.") from error
    return text


GivenCursor = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_said_of_the_query)]


async def page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100, description="Results a page")] = 20,
    cursor: Annotated[GivenCursor | None, Query(description="From `next` or `previous`")] = None,
) -> PageRequest:
    return PageRequest(
        limit=limit,
        cursor=Cursor.decode(cursor) if cursor else None,
        path=request.scope["path"],
        query={key: value for key, value in request.query_params.items() if key != "cursor"},
    )


Paging = Annotated[PageRequest, Depends(page_request)]


def parse_time(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value


def parse_decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or abs(value) >= 10**12:
        raise ValueError("not a number of any column")
    return value


def parse_seq(text: str) -> int:
    """Of a BIGINT, from 0 on."""
    return _whole(text, 2**63)


def parse_integer(text: str) -> int:
    """Of an INTEGER, from 0 on."""
    return _whole(text, 2**31)


def _whole(text: str, end: int) -> int:
    value = int(text)
    if not 0 <= value < end:
        raise ValueError("not a number of the column")
    return value


parse_id = UUID
