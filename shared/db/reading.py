"""Statements that are a transaction each."""

import asyncio
from typing import Any

from psycopg import Error as DriverError
from psycopg.pq import TransactionStatus
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db.statements import driver_of


class Reading:
    """What reads alone are given in place of a session: a connection in autocommit, from the first statement on.

    The mode is the driver's: SQLAlchemy would change it, and back, at the cost of a round trip.
    """

    def __init__(self, engine: AsyncEngine, info: dict[str, Any]) -> None:
        self.info = info
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def connection(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.connect()
            await driver_of(self._connection).set_autocommit(True)
        return self._connection

    async def __aenter__(self) -> "Reading":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._connection is None:
            return
        if kind is None:
            await _give_back(self._connection)
        else:
            # Whoever is cancelled now may be so again.
            await asyncio.shield(_give_back(self._connection))


async def _give_back(connection: AsyncConnection) -> None:
    """To the pool, as it came from there; else it is none for the next."""
    try:
        if not connection.invalidated:
            driver = driver_of(connection)
            if driver.pgconn.transaction_status != TransactionStatus.IDLE:
                await driver.rollback()
            await driver.set_autocommit(False)
    except BaseException as error:
        await connection.invalidate()
        if not isinstance(error, DriverError):
            raise
    finally:
        await connection.close()
