"""Places in what clients send and get."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from shared.db.geo import Point
from shared.http.types import NUMBER, Input

# Written so that all it matches is in range, and said in the OpenAPI document as it is.
_LAT = r"-?(90(\.0{1,15})?|[1-8]?[0-9](\.[0-9]{1,15})?)"
_LNG = r"-?(180(\.0{1,15})?|(1[0-7][0-9]|[1-9]?[0-9])(\.[0-9]{1,15})?)"
NEAR_PATTERN = rf"^{_LAT},{_LNG}$"


class LocationIn(Input):
    """Degrees, WGS 84."""

    lat: Annotated[float, Field(ge=-90, le=90, examples=[41.311]), NUMBER]
    lng: Annotated[float, Field(ge=-180, le=180, examples=[69.279]), NUMBER]


class LocationOut(BaseModel):
    """Degrees, WGS 84."""

    model_config = ConfigDict(from_attributes=True)

    lat: float
    lng: float


def parse_near(value: Any) -> Point:
    """`"41.311,69.279"` → the point; `ValueError` for what is none."""
    if not isinstance(value, str) or not re.fullmatch(NEAR_PATTERN, value):
        raise ValueError("must be latitude and longitude in degrees: 41.311,69.279")
    lat, lng = value.split(",")
    return Point(float(lat), float(lng))


Near = Annotated[
    Point,
    BeforeValidator(parse_near),
    WithJsonSchema({"type": "string", "pattern": NEAR_PATTERN, "examples": ["41.311,69.279"]}),
]
Radius = Annotated[float, Field(ge=1, le=50, description="Of `near`, in kilometres")]
