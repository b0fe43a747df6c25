"""The database of a service."""

from shared.db.engine import Database, Reading, Session, abandon, after_commit, release
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
