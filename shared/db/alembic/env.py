"""Alembic's environment for every service: which history and which tables is given by `shared.db.migrations`."""

from shared.db.migrations import run_migrations

run_migrations()
