"""A service's database: engine, and sessions that commit before anyone is told of success."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from psycopg import Error as DriverError
from sqlalchemy import Engine, ExceptionContext, event, exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from shared.config import ServiceSettings
from shared.errors import Unavailable
from shared.observability.logging import MASK
from shared.observability.metrics import DATABASE_AWAY

Session = AsyncSession

DATA_EXCEPTION = "22"
"""The class of SQLSTATEs whose primary message, too, quotes a value that was given."""

AfterCommit = Callable[[], Awaitable[None] | None]


def async_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's address of the same database over psycopg."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]


class Database:
    """One connection pool. `session()` is one transaction: committed at its end, rolled back on any error."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.engine = _create_engine(settings)
        self.most_connections = settings.db_pool_size + settings.db_pool_overflow
        self.session_info: dict[str, Any] = {}
        """What each session's `info` begins with."""
        self._make_session = async_sessionmaker(self.engine, class_=Session, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Raise `Unavailable` where the database can't be reached, is out of connections, or gave up waiting."""
        try:
            async with self._make_session() as session:
                session.info.update(self.session_info)
                yield session
                await session.commit()
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            reason = "pool" if isinstance(error, exc.TimeoutError) else "database"
            DATABASE_AWAY.labels(self.session_info.get("service", ""), reason).inc()
            raise Unavailable("The database did not answer in time.") from error
        for callback in session.info.get("after_commit", ()):
            if (awaitable := callback()) is not None:
                await awaitable

    async def ping(self, patience: timedelta) -> None:
        """Raise `TimeoutError` or a driver's error unless the database answers within `patience`."""
        async with asyncio.timeout(patience.total_seconds()), self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def after_commit(session: Session, callback: AfterCommit) -> None:
    """Run `callback` once the session's transaction is committed; never if it is rolled back."""
    session.info.setdefault("after_commit", []).append(callback)


async def release(session: Session) -> None:
    """Give the connection back to the pool before waiting for someone else; what was read stays readable.

    Only before the first write: this ends the transaction.
    """
    if session.new or session.dirty or session.deleted or "after_commit" in session.info:
        raise RuntimeError("release() after a write would commit half of a use case")
    await session.commit()


async def abandon(session: Session) -> None:
    """Undo what the session wrote, and what was to follow its commit; it may be used again."""
    await session.rollback()
    session.info.pop("after_commit", None)


@event.listens_for(Engine, "handle_error")
def _leave_values_out(context: ExceptionContext) -> None:
    """Let an error of PostgreSQL say what failed and where, and not on which values: its text goes to logs and dead
    letters, and DETAIL and CONTEXT quote whole rows. They stay readable in `diag`."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    if not isinstance(error, DriverError) or not (said := error.diag.message_primary):
        return
    if (error.sqlstate or "").startswith(DATA_EXCEPTION):
        said = re.sub('".*"', f'"{MASK}"', said, flags=re.DOTALL)
    diag = error.diag
    parts = {"table": diag.table_name, "column": diag.column_name, "constraint": diag.constraint_name}
    where = ", ".join([f"SQLSTATE {error.sqlstate}", *(f"{part} {name}" for part, name in parts.items() if name)])
    told = f"{said} ({where})"
    if wrapped:
        wrapped.args = tuple(str(arg).replace(str(error), told) for arg in wrapped.args)
    error.args = (told,)


def _create_engine(settings: ServiceSettings) -> AsyncEngine:
    limits = {
        "statement_timeout": settings.db_statement_timeout,
        "lock_timeout": settings.db_lock_timeout,
        "idle_in_transaction_session_timeout": timedelta(seconds=10),
    }
    options = " ".join(f"-c {name}={int(limit.total_seconds() * 1000)}" for name, limit in limits.items())
    return create_async_engine(
        async_url(settings.database_url),
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_pool_overflow,
        pool_timeout=settings.db_pool_timeout.total_seconds(),
        pool_pre_ping=True,
        hide_parameters=True,  # as `_leave_values_out`
        connect_args={"options": f"{options} -c timezone=UTC", "connect_timeout": 3},
    )
