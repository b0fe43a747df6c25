"""For caches in front of catalog: beside the documents of the API, below no path that the gateway opens."""

from fastapi import APIRouter

from services.catalog.repo import editions as repo
from shared.http.service import ReadsFrom

editions = APIRouter(include_in_schema=False)


@editions.get("/edition.json")
async def edition(database: ReadsFrom) -> dict[str, str]:
    """While it is the same, every public answer that was made since is right."""
    return {"edition": await repo.edition(database)}
