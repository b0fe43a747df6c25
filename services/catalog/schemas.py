"""What goes in and out of catalog over HTTP."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from services.catalog.domain import Decision, Order, PriceType, Status
from shared.http.geo import LocationIn, LocationOut, Near, Radius
from shared.http.types import NOT_BLANK, NUMBER, Input, Line, Money, Price, Text, storable, without_defaults

LEFT_OUT: Any = None
"""The default of a field that a PATCH need not give; nobody reads it."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]

_PRICE_BOUND = r"^[0-9]{1,12}(\.[0-9]{1,2})?$"


def _price_bound(text: Any) -> Decimal:
    if not isinstance(text, str) or not re.fullmatch(_PRICE_BOUND, text):
        raise PydanticCustomError("price", "This is no price: write it like 150000.00")
    return Decimal(text)


PriceBound = Annotated[
    Decimal,
    BeforeValidator(_price_bound),
    WithJsonSchema({"type": "string", "pattern": _PRICE_BOUND, "examples": ["150000.00"]}),
]


class TranslationsIn(Input):
    uz: Line | None = None
    ru: Line | None = None
    en: Line | None = None


class CategoryIn(Input):
    """A whole category: what is left out becomes empty again, but for the slug, which stays."""

    name: Line = Field(description="In every language without a translation")
    slug: Slug | None = Field(default=None, description="Of a new category, without one, made from the name")
    parent_id: UUID | None = None
    description: Text = ""
    translations: TranslationsIn = TranslationsIn()


class CategoryChangesIn(CategoryIn):
    """Changes to a category: what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    name: Line = Field(default=LEFT_OUT, description="In English, and wherever the name was the English one")


class TranslationsOut(BaseModel):
    uz: str
    ru: str
    en: str


class CategoryOut(BaseModel):
    id: UUID
    name: str = Field(description="In the language that `Accept-Language` asks for")
    translations: TranslationsOut = Field(description="The names in all languages")
    slug: str
    description: str
    parent_id: UUID | None
    service_count: int = Field(description="Active services in it and in its children")
    version: int


class CategoriesOut(BaseModel):
    results: list[CategoryOut]


class ServiceIn(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Leaking tap repair",
                    "description": "Same day, tools included.",
                    "category_id": "01a2043c-b454-7641-affa-fb6747ab9433",
                    "price": "150000.00",
                    "duration_minutes": 60,
                    "city": "Tashkent",
                    "location": {"lat": 41.3111, "lng": 69.2797},
                }
            ]
        }
    )

    title: Line
    description: Text
    category_id: UUID
    price: Price
    price_type: PriceType = PriceType.FIXED
    duration_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30), NUMBER] | None = None
    city: Line | None = None
    location: LocationIn | None = Field(default=None, description="Without it `near` does not find the service")


class ServiceChangesIn(ServiceIn):
    """Changes to a service: what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    title: Line = LEFT_OUT
    description: Text = LEFT_OUT
    category_id: UUID = LEFT_OUT
    price: Price = LEFT_OUT


class ImageUrls(BaseModel):
    small: str
    medium: str
    large: str


class ImageOut(BaseModel):
    id: UUID
    width: int = Field(description="Pixels of the large one")
    height: int
    urls: ImageUrls = Field(
        description="WebP of at most 320, 800 and 1600 pixels on the longer side, below this API's address; "
        "what they show never changes"
    )


class ServiceOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str = Field(examples=["Leaking tap repair"])
    description: str = Field(examples=["Same day, tools included."])
    category_id: UUID
    worker_id: UUID
    worker_name: str | None = Field(examples=["Aziz Tursunov"])
    worker_is_available: bool = Field(description="Whether they take orders now, as their profile says")
    price: Money
    currency: str = Field(examples=["UZS"])
    price_type: PriceType
    duration_minutes: int | None = Field(examples=[60])
    city: str | None = Field(examples=["Tashkent"])
    location: LocationOut | None
    rating: Money = Field(description="0 to 5; 0 without reviews")
    review_count: int
    completed_orders: int = Field(description="How often it was ordered and done")
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime
    images: list[ImageOut] = Field(description="At most 8, the first one first")


class OwnServiceOut(ServiceOut):
    """A service as its worker and admins see it."""

    moderation_reason: str | None = Field(description="What the last moderator said of it; for nobody else to see")


class OwnServiceFilters(BaseModel):
    """The query of a worker's own services."""

    status: Status | None = None


class ModerationFilters(BaseModel):
    """The query of the moderators' queue."""

    status: Status = Status.PENDING


class DecisionIn(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"action": {"const": Decision.HIDE}}},
            "then": {"properties": {"reason": {"not": {"type": "null"}}}, "required": ["reason"]},
        }
    )

    action: Decision
    reason: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
            AfterValidator(storable),
            NOT_BLANK,
        ]
        | None
    ) = Field(default=None, description="For its worker to read; nothing is hidden without one")


class FoundServiceOut(ServiceOut):
    distance_km: float | None = Field(description="From `near`, with one place; null without it")


class ServiceFilters(BaseModel):
    """What a list of services is narrowed to; filters combine."""

    model_config = ConfigDict(extra="ignore")

    search: str | None = Field(
        default=None,
        max_length=200,
        description="Words of title, description, worker's name or category, in any of its languages: their beginnings "
        "or other forms of them, in Russian and English; Uzbek in either script, with any apostrophes or none",
    )
    category: Annotated[str, Field(max_length=200, description="Slug or id; its children come along")] | None = None
    worker: UUID | None = None
    city: Line | None = Field(default=None, description="In any case")
    min_price: PriceBound | None = None
    max_price: PriceBound | None = None
    near: Near | None = Field(
        default=None,
        description="`lat,lng`: what is within `radius_km` of there, and as near as its worker comes "
        "(their `service_radius_km`)",
    )
    radius_km: Radius = 10


class ServiceQuery(ServiceFilters):
    """The query of a list of services."""

    ordering: Order | None = Field(
        default=None,
        description="`distance` needs `near`, `relevance` needs `search`. Where something is searched for, the default "
        "is `relevance`: of the 1,000 best rated that match, those that match best first; else it is `-created_at`",
    )


class CategoryCountOut(BaseModel):
    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    count: int = Field(description="In it and in its children")


class CityCountOut(BaseModel):
    city: str = Field(description="In one of the spellings that differ in case alone")
    count: int


class PriceBandOut(BaseModel):
    min_price: Money | None
    max_price: Money | None = Field(description="Itself in the band, as `min_price` is")
    count: int


class FacetsOut(BaseModel):
    """How many services a list with the same filters holds, and how many with one more."""

    count: int
    categories: list[CategoryCountOut]
    cities: list[CityCountOut] = Field(description="The hundred with the most services, most first")
    price_bands: list[PriceBandOut]
