"""Places on the earth, in degrees of WGS 84: how far apart they are, and what of an index to look at."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, cast, func, or_

EARTH_RADIUS = 6_371_008.8
"""Metres: the mean radius R1 of the IUGG."""
MARGIN = 1.001
"""A box is drawn a little too large, so that rounding cuts nobody off; the exact distance decides."""


@dataclass(frozen=True)
class Point:
    lat: float
    lng: float


class Box(NamedTuple):
    south: float
    west: float
    north: float
    east: float


def metres_between(centre: Point, lat: Any, lng: Any) -> ColumnElement[int]:
    """How far the point in two columns is from `centre`, in whole metres along the great circle.

    By the haversine formula, which stays exact for near points: R. W. Sinnott, "Virtues of the Haversine", Sky and
    Telescope 68 (1984), page 159.
    """
    across = func.pow(func.sind((lat - centre.lat) / 2.0), 2.0)
    along = func.pow(func.sind((lng - centre.lng) / 2.0), 2.0)
    haversine = across + along * func.cosd(lat) * math.cos(math.radians(centre.lat))
    return cast(func.round(2 * EARTH_RADIUS * func.asin(func.sqrt(func.least(haversine, 1.0)))), Integer)


def roughly_within(metres: float, centre: Point, lat: Any, lng: Any) -> ColumnElement[bool]:
    """True for all points of two columns within `metres` of `centre`, and some beyond: for a GiST index on
    `point(lng, lat)` to tell."""
    place = func.point(lng, lat)
    corners = [
        (func.point(box.east, box.north), func.point(box.west, box.south))
        for box in boxes_around(centre, metres * MARGIN)
    ]
    return or_(*(place.bool_op("<@")(func.box(*corner)) for corner in corners))


def boxes_around(centre: Point, metres: float) -> list[Box]:
    """Boxes that hold every point within `metres` of `centre`: all longitudes around a pole, two boxes where the date
    line runs between.

    A circle is widest not at its centre but nearer the pole: J. P. Matuschek, "Finding Points Within a Distance of a
    Latitude/Longitude Using Bounding Coordinates".
    """
    angle = metres / EARTH_RADIUS
    south, north = centre.lat - math.degrees(angle), centre.lat + math.degrees(angle)
    if south <= -90 or north >= 90:
        return [Box(max(south, -90.0), -180.0, min(north, 90.0), 180.0)]
    span = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(centre.lat))))
    west, east = centre.lng - span, centre.lng + span
    if west < -180:
        return [Box(south, -180.0, north, east), Box(south, west + 360, north, 180.0)]
    if east > 180:
        return [Box(south, west, north, 180.0), Box(south, -180.0, north, east - 360)]
    return [Box(south, west, north, east)]
