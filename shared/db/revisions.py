"""Which migrations a database lacks, told without Alembic: what a process asks as it starts, and ten megabytes of one
that never migrates."""

from importlib import resources

import psycopg


def revisions(service: str) -> list[str]:
    """Of this code, oldest first. They are one row, numbered by the names of their files."""
    files = (resources.files(f"services.{service}") / "migrations").iterdir()
    return sorted(file.name.partition("_")[0] for file in files if file.name[:1].isdigit())


def missing_revisions(service: str, database_url: str) -> list[str]:
    """Revisions of this code that the database lacks, oldest first; none where it can't be asked, or is newer than the
    code."""
    known = revisions(service)
    try:
        with psycopg.connect(database_url, connect_timeout=3) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return known
    except psycopg.OperationalError:
        return []
    if row is None:
        return known
    return known[known.index(row[0]) + 1 :] if row[0] in known else []
