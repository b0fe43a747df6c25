"""A service's database: engine, and sessions that commit before anyone is told of success."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from select import POLLIN, poll
from typing import Any

import orjson
from psycopg import Error as DriverError
from sqlalchemy import Engine, ExceptionContext, event, exc, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import configure_mappers

from shared.config import ServiceSettings
from shared.db.errors import leave_values_out
from shared.db.reading import Reading
from shared.db.session import Session
from shared.db.statements import Connected, R, Statement
from shared.db.writing import write_changed, write_new
from shared.errors import Unavailable
from shared.observability.metrics import DATABASE_AWAY

AfterCommit = Callable[[], Awaitable[None] | None]


def async_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's address of the same database over psycopg."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]


class Database:
    """One connection pool. `session()` is one transaction: committed at its end, rolled back on any error."""

    def __init__(self, settings: ServiceSettings) -> None:
        # The ORM does it before its first query; rows that a `Statement` makes of models may be read before that.
        configure_mappers()
        self.engine = _create_engine(settings)
        self.most_connections = settings.db_pool_size
        self.session_info: dict[str, Any] = {}
        """What each session's `info` begins with."""
        self._at_one_moment = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Raise `Unavailable` where the database can't be reached, is out of connections, or gave up waiting."""
        with self._told_when_away():
            async with Session(self.engine, self.session_info) as session:
                yield session
                await write_new(session)
                await write_changed(session)
                await session.commit()
        for callback in session.info.get("after_commit", ()):
            if (awaitable := callback()) is not None:
                await awaitable

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """For reads that belong together: all of them see the database as it was at the first. Writes are refused by
        PostgreSQL."""
        with self._told_when_away():
            async with Session(self._at_one_moment, self.session_info) as session:
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """For reads that need no transaction: each statement is one of its own, so that a read of one statement is one
        round trip instead of three."""
        with self._told_when_away():
            async with Reading(self.engine, self.session_info) as reading:
                yield reading

    async def run(self, statement: Statement[R], **values: Any) -> list[R]:
        """The rows of one statement that is a transaction of its own."""
        with self._told_when_away():
            async with Reading(self.engine, self.session_info) as reading:
                return await statement.all(reading, **values)

    @contextmanager
    def _told_when_away(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            reason = "pool" if isinstance(error, exc.TimeoutError) else "database"
            DATABASE_AWAY.labels(self.session_info.get("service", ""), reason).inc()
            raise Unavailable("The database did not answer in time.") from error

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
    if isinstance(context.original_exception, DriverError):
        leave_values_out(context.original_exception, context.sqlalchemy_exception)


@asynccontextmanager
async def planned(session: Connected, **parameters: str) -> AsyncIterator[None]:
    """PostgreSQL plans statements of a session of `Database.reading` under these parameters within it."""
    connection = await session.connection()
    await connection.exec_driver_sql("BEGIN")
    await connection.execute(select(*(func.set_config(name, value, True) for name, value in parameters.items())))
    yield
    await connection.exec_driver_sql("COMMIT")


def _create_engine(settings: ServiceSettings) -> AsyncEngine:
    limits = {
        "statement_timeout": settings.db_statement_timeout,
        "lock_timeout": settings.db_lock_timeout,
        "idle_in_transaction_session_timeout": timedelta(seconds=10),
    }
    parameters = {name: f"{int(limit.total_seconds() * 1000)}" for name, limit in limits.items()}
    parameters |= {**settings.db_parameters, "timezone": "UTC"}
    options = " ".join(f"-c {name}={value}" for name, value in parameters.items())
    engine = create_async_engine(
        async_url(settings.database_url),
        pool_size=settings.db_pool_size,
        # None beyond: they would be closed as soon as they are given back, and made anew for the next request.
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=settings.db_pool_timeout.total_seconds(),
        pool_pre_ping=True,
        hide_parameters=True,  # as `leave_values_out`
        json_deserializer=orjson.loads,
        connect_args={"options": options, "connect_timeout": 3},
    )
    _ping_only_who_has_spoken(engine.dialect)
    return engine


def _ping_only_who_has_spoken(dialect: Any) -> None:
    """Spare connections the question, at each use, whether they live: a server that ends one says so, and the socket of
    one that waits in the pool has nothing to read until then."""
    ping = dialect.do_ping

    def do_ping(connection: Any) -> bool:
        if connection.closed:
            return False
        waiting = poll()
        waiting.register(connection.driver_connection.pgconn.socket, POLLIN)
        return not waiting.poll(0) or bool(ping(connection))

    dialect.do_ping = do_ping
