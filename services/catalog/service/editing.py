"""What workers, and admins, do with services that are there."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.catalog.domain import Actor, Status, check_move, status_when_edited
from services.catalog.models import Service
from services.catalog.repo import categories as categories_repo
from services.catalog.repo import editing as repo
from services.catalog.repo import search as search_repo
from services.catalog.repo import services as services_repo
from shared.auth.users import MaybeUser, User
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Connected, Session
from shared.errors import Conflict, NotFound, invalid_field
from shared.http.preconditions import Precondition
from shared.messaging import outbox

WORDS = {"title", "description", "category_id"}
"""What searches go by, of what is edited."""


async def visible_service(session: Connected, service_id: UUID, reader: MaybeUser) -> dict[str, Any]:
    """One that can be ordered; while it can't be, its worker and admins see it, with a moderator's reason.

    Raises `NotFound` for all others, and for a token that is none `Unauthenticated` where it would matter.
    """
    if listed := await services_repo.listed_service(session, service_id):
        return listed
    by = await reader.user()
    found = await own_service(session, service_id)
    if by is None or not (by.is_admin or by.id == found["worker_id"]):
        raise _no_such_service()
    return found


async def edit(
    session: Session,
    service_id: UUID,
    by: User,
    changes: Mapping[str, Any],
    if_match: Precondition,
    *,
    moderated: bool,
) -> dict[str, Any]:
    """Write `changes` over a service; `moderated` is whether new ones wait for a moderator. Returns it as its worker
    and admins see it.

    Raises `NotFound`, also for strangers, `PreconditionFailed`, `Conflict` for one that is archived, and `Invalid` for
    a category that is not there.
    """
    while True:
        found = await _service_of(session, service_id, by)
        if_match.check(found.version)
        if found.status == Status.ARCHIVED:
            raise Conflict("This service is archived.", slug="service-archived")
        values = {name: value for name, value in _columns(changes).items() if getattr(found, name) != value}
        if not values:
            return await own_service(session, service_id)
        if "category_id" in values and await categories_repo.hold_category(session, values["category_id"]) is None:
            raise invalid_field("category_id", "There is no such category.", "unknown")
        before, actor = Status(found.status), _actor(by)
        after = status_when_edited(before, actor, values.keys(), moderated=moderated)
        if after != before:
            check_move(before, after, actor)
        if await change(session, found, values | {"status": after}):
            if not WORDS.isdisjoint(values):
                await search_repo.index_services(session, [service_id])
            return await own_service(session, service_id)
        # Someone else's change came between. Who has not said what they have seen does not mind.


async def archive(session: Session, service_id: UUID, by: User, if_match: Precondition) -> None:
    """Take a service out of the catalog for good; once more changes nothing. Orders of it stay as they are.

    Raises `NotFound`, also for strangers, and `PreconditionFailed`.
    """
    while True:
        found = await _service_of(session, service_id, by)
        if_match.check(found.version)
        if found.status == Status.ARCHIVED:
            return
        check_move(Status(found.status), Status.ARCHIVED, _actor(by))
        if await change(session, found, {"status": Status.ARCHIVED}):
            return


async def change(session: Session, service: Service, values: Mapping[str, Any]) -> bool:
    """Write the values and tell, unless someone else has changed the service meanwhile. Returns whether it was done."""
    changed = await repo.change_service(session, service, values)
    if changed:
        outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(changed)))
    return changed is not None


async def own_service(session: Connected, service_id: UUID) -> dict[str, Any]:
    """As its worker and admins see it. Raises `NotFound`."""
    found = await repo.own_service(session, service_id)
    if found is None:
        raise _no_such_service()
    return found


async def current_service(session: Session, service_id: UUID) -> Service:
    """As of now. Raises `NotFound`."""
    found = await repo.current_service(session, service_id)
    if found is None:
        raise _no_such_service()
    return found


async def _service_of(session: Session, service_id: UUID, by: User) -> Service:
    found = await current_service(session, service_id)
    if not by.is_admin and by.id != found.worker_id:
        raise _no_such_service()
    return found


def _columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(changes)
    if "location" in values:
        place = values.pop("location") or {"lat": None, "lng": None}
        values |= place
    return values


def _actor(by: User) -> Actor:
    return Actor.ADMIN if by.is_admin else Actor.WORKER


def _no_such_service() -> NotFound:
    return NotFound("There is no such service.")
