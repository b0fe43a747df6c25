"""Places on the earth, in degrees of WGS 84: how far apart they are, and what of an index to look at."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Integer, and_, cast, func, or_

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


@dataclass(frozen=True)
class Walk:
    """A walk through a GiST index on `map_point` of two columns, from a centre outwards.

    The map is Mercator's: it scales both directions alike, by the inverse cosine of the latitude, so what is nearer on
    it is nearer on the ground but for how the scale differs within the reach of the walk. Hence the exact distance is
    computed of each row, and `reach` tells how far on the map to look.
    """

    centre: Point
    metres: float

    @property
    def possible(self) -> bool:
        """Not around a pole, nor across the date line, where the map is torn."""
        boxes = boxes_around(self.centre, self.metres * MARGIN)
        return len(boxes) == 1 and abs(self.centre.lat) + math.degrees(self.metres * MARGIN / EARTH_RADIUS) < 85

    def away(self, lat: Any, lng: Any) -> ColumnElement[float]:
        """How far on the map: what the walk is ordered by."""
        away: ColumnElement[float] = map_point(lat, lng).op("<->", return_type=Float())(_on_map(self.centre))
        return away

    def reach(self, metres: float) -> float:
        """How far on the map all is that is within `metres` on the ground, and some beyond.

        On the way there no latitude is higher than the centre's and the whole way's, so no scale is larger.
        """
        highest = math.radians(abs(self.centre.lat)) + metres / EARTH_RADIUS
        return math.degrees(metres / EARTH_RADIUS) / math.cos(highest) + 1e-9


def map_point(lat: Any, lng: Any) -> ColumnElement[Any]:
    """Of two columns, on Mercator's map, in degrees of the equator."""
    return func.point(lng, func.degrees(func.asinh(func.tan(func.radians(lat)))))


def map_within(metres: float, centre: Point, lat: Any, lng: Any) -> ColumnElement[bool]:
    """As `roughly_within`, for a GiST index on `map_point`."""
    return or_(
        *(
            map_point(lat, lng).bool_op("<@")(
                func.box(_on_map(Point(box.north, box.east)), _on_map(Point(box.south, box.west)))
            )
            for box in boxes_around(centre, metres * MARGIN)
        )
    )


def degrees_within(metres: float, centre: Point, lat: Any, lng: Any) -> ColumnElement[bool]:
    """As `roughly_within`, by the columns themselves: of these the planner knows how many rows it leaves."""
    return or_(
        *(
            and_(lat.between(box.south, box.north), lng.between(box.west, box.east))
            for box in boxes_around(centre, metres * MARGIN)
        )
    )


def axes_within(metres: float, centre: Point, lat: Any, lng: Any) -> list[ColumnElement[bool]]:
    """The two halves of `degrees_within`, each true for more: the planner, which takes them for independent, expects
    too few rows of both together, but not of either."""
    boxes = boxes_around(centre, metres * MARGIN)
    return [
        or_(*(lat.between(box.south, box.north) for box in boxes)),
        or_(*(lng.between(box.west, box.east) for box in boxes)),
    ]


def _on_map(point: Point) -> ColumnElement[Any]:
    return func.point(point.lng, math.degrees(math.asinh(math.tan(math.radians(point.lat)))))


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
