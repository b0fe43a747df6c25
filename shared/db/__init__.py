"""The database of a service."""

from shared.db.engine import Database, Session, abandon, after_commit, release
from shared.db.writing import write_new

__all__ = ["Database", "Session", "abandon", "after_commit", "release", "write_new"]
