"""What is offered, and found."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import RowMapping

from services.catalog.domain import Order, PriceType, status_when_offered
from services.catalog.models import Service
from services.catalog.repo import categories as categories_repo
from services.catalog.repo import services as services_repo
from services.catalog.repo.services import Filters
from services.catalog.service.categories import subtree
from services.catalog.service.workers import hold_worker
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Session
from shared.db.base import utcnow
from shared.db.search import search_words
from shared.errors import NotFound, invalid_field
from shared.http.internal import InternalClient
from shared.http.pagination import PageRequest
from shared.ids import new_id
from shared.messaging import outbox

CURRENCY = "UZS"


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
        categories=await subtree(session, category) if category else None,
        worker_id=worker_id,
        city=city,
        min_price=min_price,
        max_price=max_price,
        words=search_words(search or ""),
    )
    return await services_repo.services(session, filters, order, page)


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
    moderated: bool = False,
) -> Service:
    """Put a service of `worker_id` into the catalog. With `confirmed_only`, a confirmed e-mail comes first; where it is
    `moderated`, it waits for a moderator.

    Raises `Invalid` for a category that is not there, and what `hold_worker` raises.
    """
    worker = await hold_worker(session, internal, worker_id, confirmed_only)
    if await categories_repo.hold_category(session, category_id) is None:
        raise invalid_field("category_id", "There is no such category.", "unknown")
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
        status=status_when_offered(moderated=moderated),
        created_at=now,
        updated_at=now,
    )
    session.add(service)
    outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(service)))
    return service


async def service_state(session: Session, service_id: UUID) -> ServiceState:
    """For the other services, whatever its status. Raises `NotFound`."""
    found = await services_repo.service(session, service_id)
    if found is None:
        raise NotFound("There is no such service.")
    return ServiceState.model_validate(found)
