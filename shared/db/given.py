"""Many rows of values as one parameter of a statement."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, String, TableValuedAlias, cast, column, func, literal
from sqlalchemy.types import TypeEngine


def given_rows(rows: Sequence[Mapping[str, Any]], **types: type[TypeEngine[Any]]) -> TableValuedAlias:
    """The rows as a table, in their order. As JSON: the driver writes an array value by value, which takes longer than
    the statement does, and the text of the statement does not depend on how many rows there are."""
    text = orjson.dumps(rows, default=str).decode()
    columns = (column(name, kind) for name, kind in types.items())
    return (
        func.json_to_recordset(cast(literal(text, String), JSON)).table_valued(*columns).render_derived(with_types=True)
    )
