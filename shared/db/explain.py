"""What PostgreSQL intends to do for a statement."""

from typing import Any

from sqlalchemy import Executable, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement

from shared.db.engine import Session


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _compile(element: _Explain, compiler: Any, **options: Any) -> str:
    return "EXPLAIN (FORMAT JSON) " + str(compiler.process(element.statement, **options))


async def plan_of(session: Session, statement: Select[Any]) -> dict[str, Any]:
    """The plan, without running it: `Node Type`, `Plan Rows`, `Plans`, and so on."""
    connection = await session.connection()
    (explained,) = (await connection.execute(_Explain(statement))).scalar_one()
    plan: dict[str, Any] = explained["Plan"]
    return plan


async def rows_expected(session: Session, statement: Select[Any]) -> int:
    """How many rows PostgreSQL's statistics let it expect, in well under a millisecond."""
    return int((await plan_of(session, statement))["Plan Rows"])
