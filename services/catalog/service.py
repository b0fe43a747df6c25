"""Use cases of catalog."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.catalog import repo
from services.catalog.domain import Order, PriceType, Status, search_words
from services.catalog.models import Category, Service
from services.catalog.repo import Filters
from shared.contracts.accounts import UserState
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Session
from shared.db.base import utcnow
from shared.errors import NotFound, invalid_field
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
        categories=await _category_ids(session, category) if category else None,
        worker_id=worker_id,
        city=city,
        min_price=min_price,
        max_price=max_price,
        words=search_words(search or ""),
    )
    return await repo.services(session, filters, order, page)


async def _category_ids(session: Session, slug_or_id: str) -> list[UUID]:
    rows = await repo.categories(session)
    return next((_with_children(rows, row.id) for row in rows if slug_or_id in (row.slug, str(row.id))), [])


async def visible_service(session: Session, service_id: UUID) -> Service:
    """Raises `NotFound`, also for one that can't be ordered now."""
    found = await repo.service(session, service_id)
    if found is None or found.status != Status.ACTIVE:
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
) -> Service:
    """Put a service of `worker_id` into the catalog. Raises `Invalid` for a category that is not there."""
    if await repo.category(session, category_id) is None:
        raise invalid_field("category_id", "There is no such category.", "unknown")
    now = utcnow()
    service = Service(
        id=new_id(),
        worker_id=worker_id,
        worker_name=await _worker_name(session, internal, worker_id),
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


async def _worker_name(session: Session, internal: InternalClient, worker_id: UUID) -> str | None:
    """From our copy; else from accounts; else none yet, and accounts' event brings it."""
    if (worker := await repo.worker(session, worker_id)) is not None:
        return worker.full_name
    try:
        found = await internal.ask_owner(session, "accounts", f"/internal/users/{worker_id}/", copy=None)
    except OwnerAway:
        found = None
    if found is None:
        return None
    user = UserState.model_validate(found)
    await keep_worker(session, user)
    return user.full_name


async def keep_worker(session: Session, user: UserState) -> None:
    """Keep what accounts says of a worker, if it is newer than what we know; names them on their services."""
    values = {"id": user.id, "full_name": user.full_name, "is_active": user.is_active, "version": user.version}
    if user.role == "worker" and await repo.keep_worker(session, values):
        await repo.name_services(session, user.id, user.full_name)


async def service_state(session: Session, service_id: UUID) -> ServiceState:
    """For the other services, whatever its status. Raises `NotFound`."""
    found = await repo.service(session, service_id)
    if found is None:
        raise NotFound("There is no such service.")
    return ServiceState.model_validate(found)
