"""Tables of catalog."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Float,
    Identity,
    Index,
    Numeric,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import Field, SQLModel

from shared.db.base import MoneyField, TimeField, new_registry

ACTIVE = text("status = 'active' AND worker_is_active")
"""What can be ordered: services that are offered, by someone who is not banned."""


WELL_RATED = Decimal("4.4")
"""By `score`: a dozen reviews of 4.8 are, or a hundred of 4.5."""
UNINDEXED = text("search IS NULL AND status <> 'archived'")
"""What is not searched yet: see `service.indexing`."""
COUNTED = ["city", "price", "status", "worker_is_active"]
"""With the category, what facets are counted by: all of it in one index, which a count reads alone."""


class Base(SQLModel, registry=new_registry()):
    pass


class Category(Base, table=True):
    __tablename__ = "categories"

    id: UUID = Field(primary_key=True)
    slug: str = Field(unique=True)
    names: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """By language: uz, ru, en."""
    description: str = ""
    parent_id: UUID | None = Field(default=None, foreign_key="categories.id")
    position: int = 0
    version: int = 1
    indexed_names: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """The names by which searches find its services: `service.indexing` lets them follow `names`."""


class Service(Base, table=True):
    __tablename__ = "services"
    __table_args__ = (
        CheckConstraint("price > 0", name="price"),
        CheckConstraint("price_type IN ('fixed', 'hourly')", name="price_type"),
        CheckConstraint("status IN ('active', 'pending', 'hidden', 'archived')", name="status"),
        # One index an ordering, each ending in the id, so that a page begins where the cursor says without sorting.
        Index("ix_services_newest", "created_at", "id", postgresql_where=ACTIVE),
        Index("ix_services_price", "price", "id", postgresql_where=ACTIVE),
        Index("ix_services_rating", "rating", "id", postgresql_where=ACTIVE),
        # PostgreSQL combines no two indexes that are partial by the same condition: these are to go with the search's.
        Index("ix_services_score", "score", "id"),
        Index("ix_services_category", "category_id", "created_at", "id", postgresql_where=ACTIVE),
        Index("ix_services_status", "status", "created_at", "id"),
        # Not of the active alone: PostgreSQL goes by no statistics of an expression that is in partial indexes only.
        Index("ix_services_city", text("lower(city)"), "created_at", "id"),
        Index("ix_services_worker", "worker_id", "created_at", "id"),
        Index("ix_services_facets", "category_id", "id", postgresql_include=COUNTED),
        # Without a list of what is yet to be put in, which each search would have to read through.
        Index(
            "ix_services_search",
            "search",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            postgresql_where=ACTIVE,
        ),
        # Of common words this has a part: where that is enough, the rest is not read.
        Index(
            "ix_services_search_best",
            "search",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            postgresql_where=text(f"{ACTIVE} AND score >= {WELL_RATED}"),
        ),
        Index("ix_services_unindexed", "id", postgresql_where=UNINDEXED),
        Index(
            "ix_services_place",
            text("point(lng, degrees(asinh(tan(radians(lat)))))"),
            postgresql_using="gist",
            postgresql_where=text(f"{ACTIVE} AND lat IS NOT NULL"),
        ),
        # For all but the walk to the nearest: of these, unlike of boxes, the planner knows how many are within.
        Index("ix_services_degrees", "lat", "lng", postgresql_where=text("lat IS NOT NULL")),
        CheckConstraint("lat BETWEEN -90 AND 90 AND lng BETWEEN -180 AND 180", name="location"),
        CheckConstraint("(lat IS NULL) = (lng IS NULL)", name="location_whole"),
    )

    id: UUID = Field(primary_key=True)
    worker_id: UUID
    worker_name: str | None = None
    worker_is_active: bool = True
    """Both copied from accounts, by its events."""
    category_id: UUID = Field(foreign_key="categories.id")
    title: str
    description: str
    price: Decimal = MoneyField()
    currency: str
    price_type: str
    duration_minutes: int | None = None
    city: str | None = None
    rating: Decimal = Field(default=Decimal("0.00"), sa_type=Numeric(3, 2))
    review_count: int = 0
    completed_orders: int = 0
    """Counted by orders' events."""
    status: str
    version: int = 1
    created_at: datetime = TimeField()
    updated_at: datetime = TimeField()
    images: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'::jsonb"))
    )
    """As they are shown; what `Image` says of this service, in one place for lists."""
    lat: float | None = Field(default=None, sa_type=Float)
    lng: float | None = Field(default=None, sa_type=Float)
    score: Decimal = Field(
        default=None,
        sa_column=Column(
            Numeric(5, 4),
            Computed("(rating * review_count + 3.5 * 5) / (review_count + 5)", persisted=True),
            nullable=False,
        ),
    )
    """How good it is as far as reviews tell: their mean, with five of 3.5 added, so that one alone says little."""
    search: Any = Field(default=None, sa_column=Column(TSVECTOR, nullable=True))
    """Written with `repo.search.search_vector` whenever its words change; None is seen to within a second."""


class ModerationEntry(Base, table=True):
    """A moderator's decision on a service; never changed but for the reason, once the worker is erased."""

    __tablename__ = "moderation_log"
    __table_args__ = (
        CheckConstraint("decision IN ('approve', 'hide')", name="decision"),
        Index("ix_moderation_log_service", "service_id", "seq"),
    )

    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    service_id: UUID = Field(foreign_key="services.id")
    decision: str
    reason: str | None = None
    moderator_id: UUID
    at: datetime = TimeField()


class Image(Base, table=True):
    """A picture of a service. Without one, its files have to go: it was removed, or never came to be shown.

    The row is there before the files and until after them, so that none is ever left that nobody knows of.
    """

    __tablename__ = "images"
    __table_args__ = (
        CheckConstraint("(service_id IS NULL) = (delete_after IS NOT NULL)", name="shown_or_to_go"),
        Index("ix_images_service", "service_id", "position"),
        Index("ix_images_delete_after", "delete_after", postgresql_where=text("delete_after IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    key: str = Field(unique=True)
    """What its addresses are made of: whoever has not been shown it does not guess it."""
    service_id: UUID | None = Field(default=None, foreign_key="services.id")
    position: int = 0
    width: int
    height: int
    """Of the large file."""
    delete_after: datetime | None = TimeField(default=None)


class Worker(Base, table=True):
    """What catalog needs of a user who offers services: a copy kept by accounts' events."""

    __tablename__ = "workers"

    id: UUID = Field(primary_key=True)
    full_name: str | None
    """None once the account is erased."""
    is_active: bool
    is_confirmed: bool = False
    version: int


class WorkerProfile(Base, table=True):
    """Where a worker works, and what they can: a copy of their profile at accounts, which has a version of its own."""

    __tablename__ = "worker_profiles"

    id: UUID = Field(primary_key=True)
    city: str | None = None
    lat: float | None = Field(default=None, sa_type=Float)
    lng: float | None = Field(default=None, sa_type=Float)
    service_radius_km: int | None = None
    is_available: bool
    skills: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    version: int


class PublicChange(Base, table=True):
    """That something was written to a table in `SHOWN_TO_ALL`: a row by a trigger, in the transaction of the change."""

    __tablename__ = "public_changes"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))


SHOWN_TO_ALL = ("categories", "images", "services", "worker_profiles", "workers")
"""Tables that public answers are made of. What reads another one has to put it here, by a migration."""
