"""The database of a service."""

from shared.db.engine import Database, abandon, after_commit, release
from shared.db.reading import Reading
from shared.db.session import Session
from shared.db.statements import Connected, Statement
from shared.db.writing import write_new

__all__ = [
    "Connected",
    "Database",
    "Reading",
    "Session",
    "Statement",
    "abandon",
    "after_commit",
    "release",
    "write_new",
]
