"""What an error of PostgreSQL says, without the values it is about."""

import re

from psycopg import Error as DriverError
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.psycopg import dialect_async

from shared.observability.logging import MASK

DIALECT = dialect_async()  # type: ignore[no-untyped-call]

DATA_EXCEPTION = "22"
"""The class of SQLSTATEs whose primary message, too, quotes a value that was given."""


def leave_values_out(error: DriverError, *wrappers: BaseException | None) -> None:
    """Let the error, and what is raised in its place, say what failed and where, and not on which values: its text goes
    to logs and dead letters, and DETAIL and CONTEXT quote whole rows. They stay readable in `diag`."""
    if not (said := error.diag.message_primary):
        return
    if (error.sqlstate or "").startswith(DATA_EXCEPTION):
        said = re.sub('".*"', f'"{MASK}"', said, flags=re.DOTALL)
    diag = error.diag
    parts = {"table": diag.table_name, "column": diag.column_name, "constraint": diag.constraint_name}
    where = ", ".join([f"SQLSTATE {error.sqlstate}", *(f"{part} {name}" for part, name in parts.items() if name)])
    told = f"{said} ({where})"
    for wrapper in wrappers:
        if wrapper:
            wrapper.args = tuple(str(arg).replace(str(error), told) for arg in wrapper.args)
    error.args = (told,)


def as_sqlalchemy(error: DriverError, statement: str) -> BaseException:
    """The driver's error as SQLAlchemy would raise it, without the values that it is about."""
    wrapped = exc.DBAPIError.instance(statement, None, error, DriverError, hide_parameters=True, dialect=DIALECT)
    leave_values_out(error, wrapped)
    return wrapped
