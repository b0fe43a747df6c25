"""Places as clients write them."""

import random
import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.db.geo import Point
from shared.http.geo import NEAR_PATTERN, LocationIn, Near

NEAR: TypeAdapter[Point] = TypeAdapter(Near)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("41.311,69.279", Point(41.311, 69.279)),
        ("-0.5,-179.999999", Point(-0.5, -179.999999)),
        ("90,180", Point(90, 180)),
        ("-90.0,-180.000", Point(-90, -180)),
        ("0,0", Point(0, 0)),
        ("9,99", Point(9, 99)),
    ],
)
def test_near_is_latitude_and_longitude(text: str, point: Point) -> None:
    assert NEAR.validate_python(text) == point


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "41", "41,", "41,69,1", "41;69", "41, 69", " 41,69", "41,69\n", "north,69", "nan,69", "inf,69"),
        *("1e1,69", "91,0", "90.1,0", "-90.0001,0", "0,180.1", "0,181", "0,-200", "041,69", "41.,69", ".5,69"),
        *("+41,69", "٤١,69"),
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        NEAR.validate_python(text)


def test_every_place_on_earth_is_taken_and_none_beside_it() -> None:
    chance = random.Random(11)
    for _ in range(2000):
        lat, lng = chance.uniform(-100, 100), chance.uniform(-200, 200)
        taken = bool(re.fullmatch(NEAR_PATTERN, f"{lat:.6f},{lng:.6f}"))
        assert taken == (abs(round(lat, 6)) <= 90 and abs(round(lng, 6)) <= 180)


def test_the_document_says_the_pattern() -> None:
    assert NEAR.json_schema()["pattern"] == NEAR_PATTERN


@pytest.mark.parametrize(
    "given",
    [
        {"lat": 90.1, "lng": 0},
        {"lat": 0, "lng": -180.1},
        {"lat": "NaN", "lng": 0},
        {"lat": float("inf"), "lng": 0},
        {"lat": 1},
        {"lat": None, "lng": None},
        {"lat": 1, "lng": 1, "alt": 1},
    ],
)
def test_a_location_is_whole_finite_and_on_earth(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LocationIn.model_validate(given)
    assert LocationIn.model_validate({"lat": -90, "lng": 180}) == LocationIn(lat=-90, lng=180)
