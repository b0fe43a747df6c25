"""Routes of accounts: the public profiles of workers."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.accounts.schemas.workers import FoundWorkerOut, WorkerChangesIn, WorkerFilters, WorkerIn, WorkerOut
from services.accounts.service import workers as service
from services.accounts.service.categories import Categories
from shared.auth.users import ActingUser
from shared.http.caching import NOT_MODIFIED, public_answer
from shared.http.pagination import Page, Paging
from shared.http.preconditions import IfMatch, version_tag
from shared.http.problems import problems
from shared.http.service import DbSession

workers = APIRouter(prefix="/api/workers", tags=["workers"])


async def _categories(request: Request) -> Categories:
    categories: Categories = request.app.state.categories
    return categories


@workers.get("/", response_model=Page[FoundWorkerOut], responses=NOT_MODIFIED | problems(503))
async def list_workers(
    filters: Annotated[WorkerFilters, Query()],
    page: Paging,
    session: DbSession,
    categories: Annotated[Categories, Depends(_categories)],
    request: Request,
) -> Response:
    """Workers and what they tell of themselves, newest first or as `ordering` says."""
    rows = await service.find_workers(
        session,
        categories,
        page,
        search=filters.search,
        category=filters.category,
        city=filters.city,
        min_rating=filters.min_rating,
        near=filters.near,
        radius_km=filters.radius_km,
        order=filters.ordering,
    )
    answer = page.page(rows, key=lambda row: (row[filters.ordering.column], row["id"]))
    answer["results"] = [service.as_found(row) for row in answer["results"]]
    return public_answer(request, answer)


@workers.get("/{worker_id}/", response_model=WorkerOut, responses=NOT_MODIFIED | problems(404))
async def read_worker(worker_id: UUID, session: DbSession, request: Request) -> Response:
    """One worker's profile."""
    profile = await service.listed_profile(session, worker_id)
    return public_answer(request, profile, version=profile["version"])


@workers.put("/{worker_id}/", response_model=WorkerOut, responses=problems(403, 404, 412))
async def replace_worker(
    worker_id: UUID, body: WorkerIn, by: ActingUser, if_match: IfMatch, session: DbSession, response: Response
) -> dict[str, Any]:
    """Replace a profile: your own, or any as an admin."""
    profile = await service.change_profile(session, worker_id, by, body.model_dump(), if_match)
    response.headers["ETag"] = version_tag(profile["version"])
    return profile


@workers.patch("/{worker_id}/", response_model=WorkerOut, responses=problems(403, 404, 412))
async def change_worker(
    worker_id: UUID, body: WorkerChangesIn, by: ActingUser, if_match: IfMatch, session: DbSession, response: Response
) -> dict[str, Any]:
    """Change what is given of a profile: your own, or any as an admin."""
    profile = await service.change_profile(session, worker_id, by, body.model_dump(exclude_unset=True), if_match)
    response.headers["ETag"] = version_tag(profile["version"])
    return profile
