"""Services near a place: how far they are, and whether their workers come that far."""

import random
from typing import Any
from uuid import uuid4

import httpx
import pytest

from marketplace.system import System
from services.catalog.repo import lists
from shared.contracts.accounts import WorkerState, WorkerUpdated
from tests.integration.catalog.offers import Json, find, forth_and_back, offer
from tests.support.events import told
from tests.support.people import Person, expect, register


def at(km: float) -> Json:
    """That far north of 41.3, 69.2."""
    return {"lat": 41.3 + km / 111.195, "lng": 69.2}


async def comes(system: System, worker: Person, km: int | None, *, is_available: bool = True) -> None:
    """Let catalog hear how far the worker comes, and whether at all."""
    profile = {"id": worker.id, "full_name": "A worker", "city": None, "location": None, "service_radius_km": km}
    state = WorkerState.model_validate(profile | {"is_available": is_available, "skills": [], "version": 2 + (km or 0)})
    await told(system, WorkerUpdated(worker=state), "catalog")


@pytest.fixture(params=["walked", "sorted"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both ways to a list by distance: where many match the other filters, and where few do."""
    monkeypatch.setattr(lists, "MANY", -1 if request.param == "walked" else 2)
    return request.param


async def test_a_place_is_shown_as_it_was_given(http: httpx.AsyncClient, worker: Person) -> None:
    service = await offer(worker, location={"lat": 41.311, "lng": 69.279})
    nowhere = await offer(worker)

    read = [expect(await http.get(f"/api/services/{one['id']}/"), 200) for one in (service, nowhere)]
    listed = await find(http, worker=worker.id, ordering="created_at")

    assert [one["location"] for one in read] == [{"lat": 41.311, "lng": 69.279}, None]
    assert [one["location"] for one in listed] == [{"lat": 41.311, "lng": 69.279}, None]
    assert [one["distance_km"] for one in listed] == [None, None]


@pytest.mark.usefixtures("way")
async def test_what_is_near_says_how_far_it_is(http: httpx.AsyncClient, worker: Person) -> None:
    for km in (9.94, 0, 10.06, 5):
        await offer(worker, str(km), location=at(km))
    await offer(worker, "nowhere in particular")

    ten = await find(http, worker=worker.id, near="41.3,69.2", ordering="distance")
    more = await find(http, worker=worker.id, near="41.3,69.2", ordering="distance", radius_km="10.1")
    newest = await find(http, worker=worker.id, near="41.3,69.2")

    assert [(one["title"], one["distance_km"]) for one in ten] == [("0", 0), ("5", 5), ("9.94", 9.9)]
    assert [one["title"] for one in more] == ["0", "5", "9.94", "10.06"]
    assert [one["title"] for one in newest] == ["5", "0", "9.94"]


async def test_whether_its_worker_takes_orders_is_shown(
    system: System, http: httpx.AsyncClient, worker: Person
) -> None:
    assert (await offer(worker))["worker_is_available"]

    await comes(system, worker, None, is_available=False)

    assert not (await offer(worker))["worker_is_available"]
    assert {service["worker_is_available"] for service in await find(http, worker=worker.id)} == {False}


@pytest.mark.usefixtures("way")
async def test_a_worker_is_found_as_far_as_they_come(system: System, http: httpx.AsyncClient) -> None:
    workers, word = [await register(http, "worker") for _ in range(3)], f"celesta{uuid4().hex}"
    for worker, km in zip(workers, (4, 6, None), strict=True):
        await comes(system, worker, km)
        await offer(worker, word, location=at(5))

    async def found(**query: Any) -> set[str]:
        return {one["worker_id"] for one in await find(http, search=word, **query)}

    for ordering in ("distance", "relevance", "price"):
        assert await found(near="41.3,69.2", ordering=ordering) == {worker.id for worker in workers[1:]}
        assert await found(near="41.32,69.2", ordering=ordering) == {worker.id for worker in workers}
    await comes(system, workers[0], 7)
    assert await found(near="41.3,69.2", ordering="distance") == {worker.id for worker in workers}


@pytest.mark.parametrize(
    ("near", "location", "km"),
    [
        ("0,179.99", {"lat": 0, "lng": -179.99}, 2.2),
        ("0,-179.99", {"lat": 0, "lng": 179.99}, 2.2),
        ("60,179.9", {"lat": 60, "lng": -179.98}, 6.7),
        ("89.98,10", {"lat": 89.98, "lng": -170}, 4.4),
        ("-90,0", {"lat": -89.99, "lng": 123}, 1.1),
        ("84.9,10", {"lat": 84.95, "lng": 10}, 5.6),
        ("41.3,69.2", {"lat": 41.3, "lng": 69.3}, 8.4),
    ],
)
@pytest.mark.usefixtures("way")
async def test_near_is_near_also_across_the_date_line_and_at_the_poles(
    http: httpx.AsyncClient, worker: Person, near: str, location: Json, km: float
) -> None:
    await offer(worker, location=location)

    for ordering in ("distance", "price"):
        found = await find(http, worker=worker.id, near=near, ordering=ordering)
        assert [one["distance_km"] for one in found] == [km]


@pytest.mark.usefixtures("way")
async def test_pages_by_distance_are_in_the_order_of_the_ground_and_not_of_the_map(
    http: httpx.AsyncClient, worker: Person
) -> None:
    """At 70° the map stretches what is 40 km to the north by a percent more than what is so to the south."""
    chance = random.Random(5)
    for number in range(12):
        lat = 70 + (0.36 if number % 2 else -0.36) + chance.uniform(-0.002, 0.002)
        await offer(worker, location={"lat": lat, "lng": 25 + chance.uniform(-0.05, 0.05)})
    for _ in range(4):  # at one place
        await offer(worker, location={"lat": 70.36, "lng": 25})

    found = await forth_and_back(http, worker=worker.id, near="70,25", radius_km="50", ordering="distance", limit=1)

    assert len(found) == 16
    distances = [one["distance_km"] for one in found]
    assert distances == sorted(distances)
    assert min(distances) > 39


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"near": "here"}, "near"),
        ({"near": "91,0"}, "near"),
        ({"near": "1,1", "radius_km": "51"}, "radius_km"),
        ({"near": "1,1", "radius_km": "0.5"}, "radius_km"),
        ({"ordering": "distance"}, "ordering"),
        ({"ordering": "-distance", "near": "1,1"}, "ordering"),
    ],
)
async def test_what_can_not_be_asked_is_refused_by_name(http: httpx.AsyncClient, query: Json, field: str) -> None:
    problem = expect(await http.get("/api/services/", params=query), 422)

    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("location", [{"lat": 91, "lng": 0}, {"lat": 1}, "41,69", {"lat": "41", "lng": 69}])
async def test_a_place_that_is_none_is_refused(worker: Person, location: Any) -> None:
    category = expect(await worker.get("/api/services/categories/"), 200)["results"][0]["id"]
    body = {"title": "T", "description": "", "category_id": category, "price": "1.00", "location": location}

    problem = expect(await worker.post("/api/services/", body), 422)

    assert all(error["field"].startswith("location") for error in problem["errors"])
