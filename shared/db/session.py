"""One transaction, with SQLAlchemy's ORM in it only where that is asked for."""

from collections.abc import Mapping
from typing import Any

from psycopg import Error as DriverError
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only
from sqlmodel import Session as SyncSession
from sqlmodel.ext.asyncio.session import AsyncSession

from shared.db.errors import as_sqlalchemy
from shared.db.statements import driver_of


class _Orm(SyncSession):
    """The ORM's side of a session: it works on the connection that the session has."""

    connected: Any

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        connection: Connection = await_only(self.connected())
        return connection


class Session(AsyncSession):
    """SQLAlchemy's session, on a connection that is there from the first statement on.

    A use case that is made of statements of the driver (`Statement`) is spared what the ORM does at the beginning and
    the end of each transaction, and each time it is asked for its connection: two thirds of what a short one takes.
    """

    sync_session_class = _Orm

    def __init__(self, engine: AsyncEngine, info: Mapping[str, Any]) -> None:
        super().__init__(expire_on_commit=False, info=dict(info))
        self.sync_session.connected = self._connected_to_orm  # type: ignore[attr-defined]
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._orm_is_at_it = False

    async def connection(self, *_: Any, **__: Any) -> AsyncConnection:
        """The connection of this transaction; inside a savepoint, one that has it set."""
        if self.in_nested_transaction():
            return await super().connection()
        return await self._connected()

    async def commit(self) -> None:
        if self._orm_is_at_it or self.new or self.dirty or self.deleted:
            await super().commit()
        if self._connection is not None:
            await _commit(self._connection)
        await self._let_go()

    async def rollback(self) -> None:
        await super().rollback()
        await self._let_go()

    async def close(self) -> None:
        await super().close()
        await self._let_go()

    async def __aexit__(self, *error: Any) -> None:
        if self._connection is None and not self._orm_is_at_it:
            self.sync_session.close()  # of nothing that would have to be waited for
        else:
            await super().__aexit__(*error)

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.connect()
        return self._connection

    async def _connected_to_orm(self) -> Connection:
        self._orm_is_at_it = True
        return (await self._connected()).sync_connection  # type: ignore[return-value]

    async def _let_go(self) -> None:
        """Give the connection back; the pool undoes what was not committed."""
        self._orm_is_at_it = False
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


async def _commit(connection: AsyncConnection) -> None:
    driver = driver_of(connection)
    if driver.pgconn.transaction_status == TransactionStatus.IDLE:
        return
    try:
        await driver.commit()
    except DriverError as error:
        raise as_sqlalchemy(error, "COMMIT") from error
    except BaseException:
        # As in `Statement.all`: what it has to say next is for nobody else.
        await connection.invalidate()
        raise
