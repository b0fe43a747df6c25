"""Facets count what the lists hold; and what is public is sent once to who keeps it."""

from typing import Any

import httpx
import pytest

from tests.integration.catalog.offers import Json, forth_and_back, offer
from tests.support.people import Person, expect


async def facets(http: httpx.AsyncClient, **query: Any) -> Json:
    found: Json = expect(await http.get("/api/services/facets/", params=query), 200)
    return found


@pytest.fixture
async def offers(worker: Person) -> Person:
    """A worker with services of several kinds."""
    here, there = {"lat": 41.3, "lng": 69.2}, {"lat": 39.65, "lng": 66.96}
    kinds: list[tuple[str, str, str | None, str, Json | None]] = [
        ("Kran taʼmiri", "plumbing", "Toshkent", "49999.99", here),
        ("Ремонт кранов", "plumbing", "toshkent", "50000.00", here),
        ("Ремонт розеток", "electrical", "Samarqand", "99999.99", there),
        ("Quvur", "home-repair", "TOSHKENT", "100000.00", None),
        ("Kran", "cleaning", None, "5000000.00", there),
        ("Гитара", "music", "Самарқанд", "250000.00", here),
    ]
    for title, category, city, price, location in kinds:
        await offer(worker, title, category=category, city=city, price=price, location=location)
    return worker


FILTERS: list[Json] = [
    {},
    {"search": "кран"},
    {"search": "remont", "ordering": "price"},
    {"category": "home-repair"},
    {"city": "Toshkent"},
    {"min_price": "50000", "max_price": "100000"},
    {"near": "41.3,69.2"},
    {"near": "41.3,69.2", "search": "kran", "category": "home-repair", "city": "toshkent", "max_price": "60000"},
    {"search": "nothing of the kind"},
]


@pytest.mark.parametrize("filters", FILTERS)
async def test_each_count_is_that_of_the_list_with_one_filter_more(
    http: httpx.AsyncClient, offers: Person, filters: Json
) -> None:
    query = {"worker": offers.id, **filters}

    async def listed(**more: Any) -> int:
        return len(await forth_and_back(http, **{"ordering": "-created_at", **query, **more}, limit=4))

    found = await facets(http, **query)

    assert found["count"] == await listed()
    if "category" not in filters:
        for category in found["categories"]:
            assert category["count"] == await listed(category=category["slug"]), category
        roots = [category["count"] for category in found["categories"] if category["parent_id"] is None]
        assert sum(roots) == found["count"]
    if "city" not in filters:
        for city in found["cities"]:
            assert city["count"] == await listed(city=city["city"]), city
    assert sum(band["count"] for band in found["price_bands"]) == found["count"]
    if "max_price" not in filters:
        for band in found["price_bands"]:
            bounds = {name: band[name] for name in ("min_price", "max_price") if band[name]}
            assert band["count"] == await listed(**bounds), band


async def test_what_there_is_none_of_is_left_out_but_for_price_bands(http: httpx.AsyncClient, offers: Person) -> None:
    found = await facets(http, worker=offers.id, search="гитара")

    assert [(one["slug"], one["count"]) for one in found["categories"]] == [("lessons", 1), ("music", 1)]
    assert found["cities"] == [{"city": "Самарқанд", "count": 1}]
    assert [(band["min_price"], band["max_price"], band["count"]) for band in found["price_bands"]] == [
        (None, "49999.99", 0),
        ("50000.00", "99999.99", 0),
        ("100000.00", "249999.99", 0),
        ("250000.00", "499999.99", 1),
        ("500000.00", "999999.99", 0),
        ("1000000.00", None, 0),
    ]


async def test_spellings_of_a_city_that_differ_in_case_are_one_and_most_come_first(
    http: httpx.AsyncClient, offers: Person
) -> None:
    cities = (await facets(http, worker=offers.id))["cities"]

    most, *others = [(one["city"].lower(), one["count"]) for one in cities]
    assert (most, {*others}) == (("toshkent", 3), {("samarqand", 1), ("самарқанд", 1)})


async def test_facets_speak_the_readers_language(http: httpx.AsyncClient, offers: Person) -> None:
    answer = await http.get(f"/api/services/facets/?worker={offers.id}", headers={"Accept-Language": "ru"})

    assert {"Сантехника", "Уборка"} < {one["name"] for one in expect(answer, 200)["categories"]}


@pytest.mark.parametrize("path", ["", "{id}/", "facets/", "categories/"])
async def test_what_is_public_is_sent_once_to_who_keeps_it(http: httpx.AsyncClient, worker: Person, path: str) -> None:
    service = await offer(worker)
    version = service["version"] if "id" in path else 0
    address = "/api/services/" + path.format(id=service["id"])
    if path in ("", "facets/"):
        address += f"?worker={worker.id}"

    first = await http.get(address)
    again = await http.get(address, headers={"If-None-Match": first.headers["etag"]})
    known = await worker.get(address)

    assert first.headers["cache-control"] == "public, s-maxage=1, must-revalidate"
    assert {"Accept-Language", "Accept-Encoding"} <= {name.strip() for name in first.headers["vary"].split(",")}
    assert first.headers["etag"].startswith(f'"{version}.')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert known.headers["cache-control"] == "private, no-cache"


async def test_who_keeps_what_has_changed_gets_it_anew(http: httpx.AsyncClient, worker: Person) -> None:
    address = f"/api/services/?worker={worker.id}"
    first = await http.get(address)
    await offer(worker)

    changed = await http.get(address, headers={"If-None-Match": first.headers["etag"]})

    assert (first.json()["results"], changed.status_code, len(changed.json()["results"])) == ([], 200, 1)
