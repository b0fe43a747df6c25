"""Many rows of values as one parameter of a statement."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, String, TableValuedAlias, bindparam, cast, column, func
from sqlalchemy.types import TypeEngine


def given_rows(**types: type[TypeEngine[Any]] | TypeEngine[Any]) -> TableValuedAlias:
    """A table in a statement, of rows that are `given` when it is run, in their order.

    So it is put together once, which takes as long as to run it. The rows go as JSON: the driver writes an array value
    by value, which takes longer than the statement does.
    """
    columns = (column(name, kind) for name, kind in types.items())
    text = cast(bindparam("given_rows", type_=String), JSON)
    return func.json_to_recordset(text).table_valued(*columns).render_derived(with_types=True)


def given(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The parameter by which a statement with `given_rows` gets its rows."""
    return {"given_rows": orjson.dumps(rows, default=str).decode()}
