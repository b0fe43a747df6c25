"""What goes in and out of catalog over HTTP."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.catalog.domain import Order, PriceType, Status
from shared.http.types import Input, Line, Money, Price, Text


class CategoryOut(BaseModel):
    id: UUID
    name: str
    slug: str
    description: str
    parent_id: UUID | None
    service_count: int = Field(description="Active services in it and in its children")


class CategoriesOut(BaseModel):
    results: list[CategoryOut]


class ServiceIn(Input):
    title: Line
    description: Text
    category_id: UUID
    price: Price
    price_type: PriceType = PriceType.FIXED
    duration_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] | None = None
    city: Line | None = None


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
    title: str
    description: str
    category_id: UUID
    worker_id: UUID
    worker_name: str | None
    price: Money
    currency: str
    price_type: PriceType
    duration_minutes: int | None
    city: str | None
    rating: Money = Field(description="0 to 5; 0 without reviews")
    review_count: int
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime
    images: list[ImageOut] = Field(description="At most 8, the first one first")


class ServiceFilters(BaseModel):
    """The query of a list of services."""

    model_config = ConfigDict(extra="ignore")

    search: Annotated[str, Field(max_length=200, description="Words, or beginnings of words")] | None = None
    category: Annotated[str, Field(max_length=200, description="Slug or id; its children come along")] | None = None
    worker: UUID | None = None
    city: Line | None = None
    min_price: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)] | None = None
    max_price: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)] | None = None
    ordering: Order = Order.NEWEST
