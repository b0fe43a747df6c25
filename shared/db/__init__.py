"""The database of a service."""

from shared.db.engine import Database, Session, abandon, after_commit, release

__all__ = ["Database", "Session", "abandon", "after_commit", "release"]
