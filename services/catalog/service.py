"""Use cases of catalog."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.catalog import repo
from services.catalog.domain import Order, PriceType, Status
from services.catalog.models import Category, Service, Worker
from services.catalog.repo import Filters
from shared.auth.tokens import invalid_token
from shared.contracts.accounts import UserState, WorkerState
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Session
from shared.db.base import utcnow
from shared.db.search import search_words
from shared.errors import Conflict, NotFound, invalid_field
from shared.http.internal import InternalClient, OwnerAway
from shared.http.pagination import PageRequest
from shared.ids import new_id
from shared.messaging import outbox

CURRENCY = "UZS"


async def categories(session: Session, language: str) -> list[dict[str, Any]]:
    """The tree as a flat list, parents first; a parent counts its children's services too."""
    rows = await repo.categories(session)
    own = await repo.services_per_category(session)
    return [
        {
            "id": row.id,
            "name": row.names.get(language) or row.names["en"],
            "slug": row.slug,
            "description": row.description,
            "parent_id": row.parent_id,
            "service_count": sum(own.get(id_, 0) for id_ in _with_children(rows, row.id)),
        }
        for row in rows
    ]


def _with_children(categories: Sequence[Category], root: UUID) -> list[UUID]:
    children = [category.id for category in categories if category.parent_id == root]
    return [root, *(below for child in children for below in _with_children(categories, child))]


async def find_services(
    session: Session,
    page: PageRequest,
    *,
    category: str | None,
    worker_id: UUID | None,
    city: str | None,
    min_price: Decimal | None,
    max_price: Decimal | None,
    search: str | None,
    order: Order,
) -> Sequence[RowMapping]:
    """One page of active services; `category` is a slug or an id and brings its children along."""
    filters = Filters(
        categories=await _subtree(session, category) if category else None,
        worker_id=worker_id,
        city=city,
        min_price=min_price,
        max_price=max_price,
        words=search_words(search or ""),
    )
    return await repo.services(session, filters, order, page)


async def _subtree(session: Session, slug_or_id: str) -> list[UUID]:
    rows = await repo.categories(session)
    return next((_with_children(rows, row.id) for row in rows if slug_or_id in (row.slug, str(row.id))), [])


async def category_ids(session: Session, slug_or_id: str) -> list[UUID]:
    """The category and all below it. Raises `NotFound`."""
    found = await _subtree(session, slug_or_id)
    if not found:
        raise NotFound("There is no such category.")
    return found


async def visible_service(session: Session, service_id: UUID) -> Service:
    """Raises `NotFound`, also for one that can't be ordered now."""
    found = await repo.listed_service(session, service_id)
    if found is None:
        raise NotFound("There is no such service.")
    return found


async def offer(
    session: Session,
    internal: InternalClient,
    worker_id: UUID,
    *,
    title: str,
    description: str,
    category_id: UUID,
    price: Decimal,
    price_type: PriceType = PriceType.FIXED,
    duration_minutes: int | None = None,
    city: str | None = None,
    confirmed_only: bool,
) -> Service:
    """Put a service of `worker_id` into the catalog. With `confirmed_only`, a confirmed e-mail comes first.

    Raises `Invalid` for a category that is not there, and what `_hold_worker` raises.
    """
    if await repo.category(session, category_id) is None:
        raise invalid_field("category_id", "There is no such category.", "unknown")
    worker = await _hold_worker(session, internal, worker_id, confirmed_only)
    now = utcnow()
    service = Service(
        id=new_id(),
        worker_id=worker_id,
        worker_name=worker.full_name if worker else None,
        category_id=category_id,
        title=title,
        description=description,
        price=price,
        currency=CURRENCY,
        price_type=price_type,
        duration_minutes=duration_minutes,
        city=city,
        status=Status.ACTIVE,
        created_at=now,
        updated_at=now,
    )
    session.add(service)
    outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(service)))
    return service


async def _hold_worker(
    session: Session, internal: InternalClient, worker_id: UUID, confirmed_only: bool
) -> Worker | None:
    """Our copy of who offers; where it is missing or would refuse, as accounts says; else none yet, and accounts'
    event brings it. Until the service is written they are not erased here: who does that waits, and finds it.

    Raises `Unauthenticated` for one who is banned or erased, `Conflict` where they have to confirm their e-mail first,
    and `OwnerAway` where nobody can tell whether they have.
    """

    def may_offer(worker: Worker) -> bool:
        return worker.is_active and (worker.is_confirmed or not confirmed_only)

    worker = await repo.hold_worker(session, worker_id)
    if worker is None or not may_offer(worker):
        try:
            found = await internal.ask_owner(session, "accounts", f"/internal/users/{worker_id}/", copy=worker)
        except OwnerAway:
            if confirmed_only:
                raise
            return None
        if found:
            await keep_worker(session, UserState.model_validate(found))
        worker = await repo.hold_worker(session, worker_id)
    if worker is None or not worker.is_active:
        raise invalid_token("This login has been ended.")
    if not may_offer(worker):
        raise Conflict("Confirm your e-mail address before you offer a service.", slug="email-not-confirmed")
    return worker


async def keep_worker(session: Session, user: UserState) -> None:
    """Keep what accounts says of a worker, if it is newer than what we know, and copy it to their services.

    Who was a worker once, and is none now, offers nothing.
    """
    is_worker = user.role == "worker"
    if not is_worker and await repo.worker(session, user.id) is None:
        return
    values = user.model_dump(include={"id", "full_name", "is_confirmed", "version"})
    is_active = user.is_active and is_worker
    if await repo.keep_worker(session, values | {"is_active": is_active}):
        await repo.update_services(session, user.id, worker_name=user.full_name, worker_is_active=is_active)


async def keep_profile(session: Session, profile: WorkerState) -> None:
    values = profile.model_dump(include={"id", "city", "service_radius_km", "is_available", "skills", "version"})
    place = profile.location.model_dump() if profile.location else {"lat": None, "lng": None}
    await repo.keep_profile(session, values | place)


async def forget_worker(session: Session, user_id: UUID, version: int) -> None:
    """Archive their services and forget what these said; tell everyone who copied it."""
    await repo.bury_worker(session, user_id, version)
    for service in await repo.forget_services(session, user_id):
        outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(service)))


async def service_state(session: Session, service_id: UUID) -> ServiceState:
    """For the other services, whatever its status. Raises `NotFound`."""
    found = await repo.service(session, service_id)
    if found is None:
        raise NotFound("There is no such service.")
    return ServiceState.model_validate(found)
