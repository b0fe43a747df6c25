"""The database of a service."""

from shared.db.engine import Database, Session, after_commit, release

__all__ = ["Database", "Session", "after_commit", "release"]
