"""Services for lists to find, and lists as tests read them."""

from itertools import pairwise
from typing import Any

import httpx

from tests.support.people import Person, expect

Json = dict[str, Any]


async def category_id(http: httpx.AsyncClient, slug: str) -> str:
    tree = expect(await http.get("/api/services/categories/"), 200)["results"]
    return next(category["id"] for category in tree if category["slug"] == slug)


async def offer(worker: Person, title: str = "T", *, category: str = "computers", **more: Any) -> Json:
    """A new service of the worker in the category of that slug."""
    body = {"title": title, "description": "", "price": "1.00", **more}
    body["category_id"] = await category_id(worker.http, category)
    offered: Json = expect(await worker.post("/api/services/", body), 201)
    return offered


async def find(http: httpx.AsyncClient, **query: Any) -> list[Json]:
    results: list[Json] = expect(await http.get("/api/services/", params=query), 200)["results"]
    return results


async def titles(http: httpx.AsyncClient, **query: Any) -> list[str]:
    return [service["title"] for service in await find(http, **query)]


async def forth_and_back(http: httpx.AsyncClient, **query: Any) -> list[Json]:
    """All services of a list, by following `next`; the way back along `previous` must be the same."""
    forth = [expect(await http.get("/api/services/", params=query), 200)]
    while address := forth[-1]["next"]:
        forth.append(expect(await http.get(address), 200))
    back = [forth[-1]]
    while address := back[-1]["previous"]:
        back.append(expect(await http.get(address), 200))
    found = [service for page in forth for service in page["results"]]
    assert [service for page in back[::-1] for service in page["results"]] == found
    assert len({service["id"] for service in found}) == len(found)
    return found


def falls_or_rises(keys: list[Any], *, descending: bool) -> bool:
    """Strictly: ties must have been broken."""
    return all((a > b) if descending else (a < b) for a, b in pairwise(keys))
