"""What the tables of all services have in common."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, MetaData, Numeric
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def new_registry() -> registry:
    """A registry of one service, so that no table name of one can collide with another's in the same process."""
    return registry(metadata=MetaData(naming_convention=NAMES))


platform_registry = new_registry()
"""Of the tables that each service's database has beside its own: outbox, inbox, key cache."""


class PlatformBase(SQLModel, registry=platform_registry):
    """Base of those tables; each stands beside its use."""


def utcnow() -> datetime:
    return datetime.now(UTC)


def TimeField(**options: Any) -> Any:  # noqa: N802 - reads as sqlmodel's Field, which it is
    """A column of aware UTC times."""
    return Field(sa_type=DateTime(timezone=True), **options)


def MoneyField(**options: Any) -> Any:  # noqa: N802
    """A column of exact amounts with two places."""
    return Field(sa_type=Numeric(14, 2), **options)
