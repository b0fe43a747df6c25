"""Use cases of accounts on the public profiles of workers."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.accounts.domain import Role
from services.accounts.models import User
from services.accounts.repo import workers as repo
from services.accounts.repo.workers import Filters, Order
from services.accounts.service.categories import Categories
from shared.auth.users import User as Caller
from shared.contracts.accounts import WorkerState, WorkerUpdated
from shared.contracts.catalog import ServiceState
from shared.db import Session
from shared.db.geo import Point
from shared.db.search import search_words
from shared.errors import Forbidden, NotFound, invalid_field
from shared.http.pagination import PageRequest
from shared.http.preconditions import Precondition
from shared.messaging import outbox


async def find_workers(
    session: Session,
    categories: Categories,
    page: PageRequest,
    *,
    search: str | None,
    category: str | None,
    city: str | None,
    min_rating: float | None,
    near: Point | None,
    radius_km: float,
    order: Order,
) -> Sequence[RowMapping]:
    """One page of listed workers; `category` is a slug or an id and brings its children along.

    Raises `Invalid` for an order by distance from nowhere, and `OwnerAway` where nobody can tell what the category is.
    """
    if order == Order.NEAREST and near is None:
        raise invalid_field("ordering", "distance needs near.", "needs_near")
    filters = Filters(
        categories=await categories.ids(session, category) if category else None,
        city=city,
        min_rating=min_rating,
        words=search_words(search or ""),
        near=near,
        radius_km=radius_km,
    )
    return await repo.profiles(session, filters, order, page)


async def listed_profile(session: Session, worker_id: UUID) -> dict[str, Any]:
    """Raises `NotFound`, also for a worker who is banned."""
    found = await repo.listed_profile(session, worker_id)
    if found is None:
        raise NotFound("There is no such worker.")
    return as_shown(found)


async def change_profile(
    session: Session, worker_id: UUID, by: Caller, changes: Mapping[str, Any], if_match: Precondition
) -> dict[str, Any]:
    """Write `changes` over the profile, if it is `by`'s own, or `by` is an admin.

    Raises `Forbidden` for all others: a profile is public, so there is nothing to conceal. Raises `NotFound` and
    `PreconditionFailed`.
    """
    if not by.is_admin and (by.role, by.id) != (Role.WORKER, worker_id):
        raise Forbidden("A profile is changed by its worker, or by an admin.")
    values = dict(changes)
    if "location" in values:
        values |= values.pop("location") or {"lat": None, "lng": None}
    while found := await repo.profile(session, worker_id):
        if_match.check(found["version"])
        if not values:
            return as_shown(found)
        if changed := await repo.change_profile(session, worker_id, values, version=found["version"]):
            return _tell(session, changed)
        # Someone else's change came between. Who has not said what they have seen does not mind.
    raise NotFound("There is no such worker.")


async def open_profile(session: Session, user: User) -> None:
    """Give a worker who registers a profile to fill."""
    _tell(session, await repo.add_profile(session, user))


async def follow_user(session: Session, user: User) -> None:
    """Let the profile have the user's new name or standing; who becomes a worker gets one."""
    listed = user.is_active and user.role == Role.WORKER
    if listed and await repo.profile(session, user.id) is None:
        await open_profile(session, user)
    elif changed := await repo.change_profile(session, user.id, {"full_name": user.full_name, "is_listed": listed}):
        _tell(session, changed)


async def erase_profile(session: Session, user_id: UUID) -> None:
    """Forget the profile, and what the user offers. `user.erased` tells the others."""
    await repo.delete_profile(session, user_id)


async def keep_service(session: Session, service: ServiceState) -> None:
    """Keep what catalog says of a service, if it is newer than what we know."""
    values = {
        "id": service.id,
        "worker_id": service.worker_id,
        "category_id": service.category_id,
        "is_active": service.status == "active",
        "version": service.version,
    }
    await repo.keep_service(session, values)


def as_shown(row: RowMapping) -> dict[str, Any]:
    """The profile as anyone may see it."""
    profile = dict(row)
    lat, lng = profile.pop("lat"), profile.pop("lng")
    return profile | {"location": None if lat is None else {"lat": lat, "lng": lng}}


def as_found(row: RowMapping) -> dict[str, Any]:
    """The same with the distance, where one was asked for."""
    profile = as_shown(row)
    metres = profile.pop("metres", None)
    return profile | {"distance_km": None if metres is None else round(metres / 1000, 1)}


def _tell(session: Session, row: RowMapping) -> dict[str, Any]:
    profile = as_shown(row)
    outbox.add(session, WorkerUpdated(worker=WorkerState.model_validate(profile)))
    return profile
