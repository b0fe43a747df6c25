"""The service's own database: rights, migrations, clock, connections, and the events in it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from sqlalchemy import text

from marketplace.databases import excess_rights
from marketplace.doctor.findings import Finding, Patient, judged, warning, well, wrong
from shared.db import Database
from shared.db.revisions import missing_revisions
from shared.messaging.dead_letters import count_dead, oldest_overdue
from shared.messaging.relay import backlog
from shared.platform import BACKLOG_IS_OLD

CLOCKS_APART = timedelta(seconds=5)
"""Tokens and deadlines allow for a few seconds; the time zone is not the matter."""
CONNECTIONS_LEFT = 0.1
CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       current_setting('max_connections')::int
"""


async def check_database(patient: Patient) -> AsyncIterator[Finding]:
    database = Database(patient.settings)
    try:
        try:
            await database.ping(timedelta(seconds=5))
        except Exception as error:
            said = (str(error) or repr(error)).strip().splitlines()[0]
            yield wrong(
                "database", f"can't be used: {said}", "Start PostgreSQL; look at DATABASE_URL and its password."
            )
            return
        yield well("database", "answers")
        async for finding in _look_into(patient, database):
            yield finding
    finally:
        await database.close()


async def _look_into(patient: Patient, database: Database) -> AsyncIterator[Finding]:
    name, url = patient.name, patient.settings.database_url
    too_much = await asyncio.to_thread(excess_rights, url)
    remedy = f"Let {name} have its own database alone: REVOKE what it may too much; deploy/databases.sh shows how."
    problem = f"the user {', '.join(too_much)}" if too_much else None
    yield judged("database rights", problem, remedy, well_said="the user can use its own database alone")

    missing = await asyncio.to_thread(missing_revisions, name, url)
    problem = f"{len(missing)} are missing, {missing[0]} the first" if missing else None
    yield judged("migrations", problem, f"Run `marketplace migrate {name}`.", well_said="at the newest revision")
    if missing:
        return  # the tables to look into may not be there

    async with database.engine.connect() as connection:
        before = time.time()
        theirs: float = await connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float"))
        apart = theirs - (before + time.time()) / 2
        used, most = (await connection.execute(text(CONNECTIONS))).one()
    problem = f"is {apart:+.1f} s from ours" if abs(apart) > CLOCKS_APART.total_seconds() else None
    yield judged("clock of the database", problem, "Let NTP set both machines' clocks.", well_said=f"{apart:+.1f} s")
    few = most - used < most * CONNECTIONS_LEFT
    said = f"{used} of {most} are taken"
    remedy = "Raise max_connections, or lower DB_POOL_SIZE and DB_POOL_OVERFLOW or the number of instances."
    yield warning("database connections", said, remedy) if few else well("database connections", said)

    waiting = await backlog(database)
    said = f"{waiting.waiting} events wait, the oldest for {waiting.age.total_seconds():.0f} s"
    problem = said if waiting.age > BACKLOG_IS_OLD else None
    yield judged("outbox", problem, f"Does {name} run, and reach the broker? Its log says relay_waits.", well_said=said)

    overdue = await oldest_overdue(database)
    late = overdue > BACKLOG_IS_OLD
    problem = f"a retry is {overdue.total_seconds():.0f} s late" if late else None
    yield judged("inbox", problem, f"Does {name} run? Its log says inbox_waits.", well_said="no retry is late")

    dead = await count_dead(database)
    problem = f"{dead} could not be handled" if dead else None
    remedy = f"`marketplace dead-letters list {name}` shows them and why; once that is mended, `… replay`."
    yield judged("dead letters", problem, remedy, well_said="none")
