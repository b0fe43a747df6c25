"""What goes in and out of accounts over HTTP of a worker's public profile."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from services.accounts.repo.workers import Order
from shared.http.geo import LocationIn, LocationOut, Near, Radius
from shared.http.types import NOT_BLANK, NUMBER, Input, Line, Money, Price, Text, storable, without_defaults


def distinct(values: list[str]) -> list[str]:
    """Each once, whatever its case, in the spelling and place that it first has."""
    kept: dict[str, str] = {}
    for value in values:
        kept.setdefault(value.casefold(), value)
    return list(kept.values())


Skill = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(storable), NOT_BLANK
]
Skills = Annotated[list[Skill], Field(max_length=30), AfterValidator(distinct)]
Languages = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]],
    Field(max_length=10, description="ISO 639-1", examples=[["uz", "ru"]]),
    AfterValidator(distinct),
]


class WorkerIn(Input):
    """A whole profile: what is left out becomes empty again."""

    bio: Text = ""
    skills: Skills = Field(default=[])
    languages: Languages = Field(default=[])
    hourly_rate: Price | None = None
    city: Line | None = None
    location: LocationIn | None = None
    service_radius_km: Annotated[int, Field(ge=1, le=500), NUMBER] | None = Field(
        default=None, description="How far from `location` they come; null is as far as anyone looks"
    )
    is_available: StrictBool = True


class WorkerChangesIn(WorkerIn):
    """Changes to a profile: what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=without_defaults)


class WorkerOut(BaseModel):
    """What a worker tells everyone; neither e-mail nor phone."""

    id: UUID
    full_name: str
    bio: str
    skills: list[str]
    languages: list[str]
    hourly_rate: Money | None
    currency: str
    city: str | None
    location: LocationOut | None
    service_radius_km: int | None
    is_available: bool
    rating: Money = Field(description="0 to 5; 0 without reviews")
    review_count: int
    version: int
    created_at: datetime
    updated_at: datetime


class FoundWorkerOut(WorkerOut):
    distance_km: float | None = Field(description="From `near`, with one place; null without it")


class WorkerFilters(BaseModel):
    """The query of a list of workers."""

    model_config = ConfigDict(extra="ignore")

    search: str | None = Field(
        default=None, max_length=200, description="Words, or beginnings of words, of name, bio and skills"
    )
    category: str | None = Field(default=None, max_length=200, description="Slug or id; its children come along")
    city: Line | None = Field(default=None, description="In any case")
    min_rating: Annotated[float, Field(ge=0, le=5)] | None = Field(default=None, description="At least so well rated")
    near: Near | None = Field(
        default=None, description="`lat,lng`: who is within `radius_km` of there, and comes that far"
    )
    radius_km: Radius = 10
    ordering: Order = Field(default=Order.NEWEST, description="`distance` needs `near`")
