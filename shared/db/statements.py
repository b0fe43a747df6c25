"""Statements that are put together once, and run by the driver itself.

For what is asked at every turn: SQLAlchemy's own way from a statement to its rows takes longer than PostgreSQL's
answer, and to put the statement together takes that long again. What they say is still SQLAlchemy's, and so are the
transaction they are part of and the errors they raise.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast

from psycopg import AsyncConnection as DriverConnection
from psycopg import Error as DriverError
from psycopg.rows import BaseRowFactory, dict_row, kwargs_row, namedtuple_row
from psycopg.types.string import TextLoader
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.errors import DIALECT, as_sqlalchemy

R = TypeVar("R")


class Connected(Protocol):
    """A session, or whatever else statements can be run in."""

    @property
    def info(self) -> dict[Any, Any]: ...

    async def connection(self) -> AsyncConnection: ...


def driver_of(connection: AsyncConnection) -> DriverConnection:
    """The driver's own connection."""
    return cast("DriverConnection", connection.sync_connection.connection.driver_connection)  # type: ignore[union-attr]


class Statement(Generic[R]):
    """One statement; what differs from run to run are its `bindparam`s, given by their names.

    A row is a named tuple, or what `row` makes of its columns: `Model.model_construct` gives models that no session
    tracks, to be read and not written. What was added to the session and not flushed is not seen.

    With `as_text`, for rows that go on as JSON, ids and exact amounts are texts: to make objects of them, and texts of
    these, takes longer than to fetch the row.
    """

    def __init__(self, statement: Executable, row: Callable[..., R] | None = None, *, as_text: bool = False) -> None:
        self._statement = statement
        self._as_text = as_text
        factory = namedtuple_row if row is None else dict_row if row is dict else kwargs_row(row)
        self._rows = cast("BaseRowFactory[R]", factory)

    async def all(self, session: Connected, **values: Any) -> list[R]:
        """Its rows. Raises SQLAlchemy's errors."""
        connection = await session.connection()
        text, constants, dumps = self._compiled
        for name, dump in dumps.items():
            values[name] = dump(values[name])
        try:
            cursor = driver_of(connection).cursor(row_factory=self._rows)
            if self._as_text:
                for kind in ("uuid", "numeric"):
                    cursor.adapters.register_loader(kind, TextLoader)
            await cursor.execute(text, {**constants, **values})
            # None where there are no rows to give. `description` says that too, and describes each column for it.
            return [] if cursor.rownumber is None else await cursor.fetchall()
        except DriverError as error:
            raise as_sqlalchemy(error, text) from error
        except BaseException:
            # Cancelled in the middle: what the connection has to say next is not for whoever would get it.
            await connection.invalidate()
            raise

    async def first(self, session: Connected, **values: Any) -> R | None:
        """Its first row, if there is one."""
        return next(iter(await self.all(session, **values)), None)

    async def one(self, session: Connected, **values: Any) -> R:
        """Its only row."""
        (row,) = await self.all(session, **values)
        return row

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any], dict[str, Callable[[Any], Any]]]:
        """Its text, the values that belong to it, and how some of those that are given go to the driver."""
        compiled: Any = self._statement.compile(dialect=DIALECT)  # type: ignore[attr-defined]
        defaults = {column.key: column.default for column in compiled.insert_prefetch}
        defaults |= {column.key: column.onupdate for column in compiled.update_prefetch}
        if not all(default.is_scalar for default in defaults.values()):
            raise ValueError(f"a column is filled in by Python, each time anew: {compiled}")
        given = {name for name, parameter in compiled.binds.items() if parameter.required}
        if given & {parameter.key for parameter in compiled.post_compile_params}:
            raise ValueError(f"not the same text for all values: {compiled}")
        dumps = {
            name: dump
            for name, parameter in compiled.binds.items()
            if (dump := parameter.type.dialect_impl(DIALECT).bind_processor(DIALECT))
        }
        filled = {name: default.arg for name, default in defaults.items()}
        whole = compiled.construct_expanded_state(dict.fromkeys(given) | filled)
        constants = {
            name: dumps[name](value) if name in dumps else value
            for name, value in whole.parameters.items()
            if name not in given
        }
        del self._statement  # ten times as large as its text, of which there may be a thousand
        return whole.statement, constants, {name: dump for name, dump in dumps.items() if name in given}
