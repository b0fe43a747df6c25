"""What PostgreSQL's statistics let it expect."""

from typing import Any

from sqlalchemy import FromClause, Select, literal
from sqlalchemy.ext.compiler import compiles

from shared.db.engine import Session


class _Explain(Select[Any]):
    """A SELECT of one column that is not run: its result is one column too, the plan."""

    inherit_cache = True


@compiles(_Explain)
def _compile(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.visit_select(element, **options)}"


async def rows_expected(session: Session, of: FromClause, *conditions: Any) -> int:
    """How many rows are expected to fulfil the conditions. Tells in well under a millisecond, and reads none."""
    connection = await session.connection()
    explained = await connection.execute(_Explain(literal(1)).select_from(of).where(*conditions))
    plan: Any = explained.scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])
