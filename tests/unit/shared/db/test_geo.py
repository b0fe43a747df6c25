"""The part of an index that is looked at holds all that can be near."""

import math
import random

import pytest

from shared.db.geo import EARTH_RADIUS, Box, Point, Walk, boxes_around

METRES = 50_000.0


def destination(start: Point, bearing: float, metres: float) -> Point:
    """Where one comes who walks that far: the direct problem on a sphere."""
    angle, lat, lng = metres / EARTH_RADIUS, math.radians(start.lat), math.radians(start.lng)
    to_lat = math.asin(math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(bearing))
    east = math.sin(bearing) * math.sin(angle) * math.cos(lat)
    to_lng = lng + math.atan2(east, math.cos(angle) - math.sin(lat) * math.sin(to_lat))
    return Point(math.degrees(to_lat), (math.degrees(to_lng) + 540) % 360 - 180)


def holds(box: Box, point: Point) -> bool:
    return box.south <= point.lat <= box.north and box.west <= point.lng <= box.east


@pytest.mark.parametrize("lat", [0.0, 41.3, -60.0, 89.0, 89.7, 90.0, -89.9, -90.0])
@pytest.mark.parametrize("lng", [0.0, 69.2, 179.9, 180.0, -180.0, -179.99])
def test_every_point_within_reach_is_in_a_box(lat: float, lng: float) -> None:
    chance, centre = random.Random(13), Point(lat, lng)
    boxes = boxes_around(centre, METRES)
    for _ in range(500):
        point = destination(centre, chance.uniform(0, 2 * math.pi), chance.uniform(0, METRES * 0.9999))
        assert any(holds(box, point) for box in boxes)


def test_a_box_is_no_larger_than_it_must_be() -> None:
    (box,) = boxes_around(Point(60.0, 25.0), METRES)

    assert box.north - box.south == pytest.approx(2 * 0.4497, abs=1e-3)
    assert box.east - box.west == pytest.approx(2 * 0.8994, abs=1e-3)  # twice as wide at 60°


def test_across_the_date_line_there_are_two_boxes_on_the_map() -> None:
    for lng in (179.9, -179.9):
        boxes = boxes_around(Point(0.0, lng), METRES)
        assert len(boxes) == 2
        assert all(-180 <= box.west < box.east <= 180 for box in boxes)


def test_around_a_pole_all_longitudes_are_near() -> None:
    assert [(box.west, box.east, box.north) for box in boxes_around(Point(89.9, 10.0), METRES)] == [(-180, 180, 90)]
    assert [(box.west, box.east, box.south) for box in boxes_around(Point(-89.9, 10.0), METRES)] == [(-180, 180, -90)]


def on_map(point: Point) -> tuple[float, float]:
    return point.lng, math.degrees(math.asinh(math.tan(math.radians(point.lat))))


@pytest.mark.parametrize("lat", [0.0, 41.3, -60.0, 70.0, 84.0])
def test_all_that_is_near_on_the_ground_is_within_reach_on_the_map(lat: float) -> None:
    chance, centre = random.Random(13), Point(lat, 69.2)
    walk = Walk(centre, METRES)
    for _ in range(500):
        metres = chance.uniform(0, METRES)
        point = destination(centre, chance.uniform(0, 2 * math.pi), metres)
        assert math.dist(on_map(centre), on_map(point)) <= walk.reach(metres)


def test_the_walk_goes_hardly_further_than_it_must() -> None:
    centre = Point(41.3, 69.2)
    farthest = destination(centre, 0.0, 5000)

    reach = Walk(centre, METRES).reach(5000)

    assert reach == pytest.approx(math.dist(on_map(centre), on_map(farthest)), rel=1e-3)


@pytest.mark.parametrize(
    ("centre", "possible"),
    [(Point(41.3, 69.2), True), (Point(0, 179.9), False), (Point(0, -179.9), False), (Point(-89.9, 0), False)],
)
def test_where_the_map_is_torn_nobody_walks(centre: Point, possible: bool) -> None:
    assert Walk(centre, METRES).possible == possible
