"""What is offered, and found."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.catalog.domain import PRICE_BANDS, Order, PriceType, price_band, status_when_offered
from services.catalog.models import Service
from services.catalog.repo import categories as categories_repo
from services.catalog.repo import facets, lists
from services.catalog.repo import services as services_repo
from services.catalog.repo.filters import Filters, Rows
from services.catalog.repo.search import hold_names, search_terms, search_texts, search_vector
from services.catalog.service.categories import name_in, subtree
from services.catalog.service.editing import own_service
from services.catalog.service.workers import hold_worker
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Connected, Session
from shared.db.base import utcnow
from shared.db.geo import Point
from shared.errors import NotFound, invalid_field
from shared.http.internal import InternalClient
from shared.http.pagination import PageRequest
from shared.ids import new_id
from shared.messaging import outbox

CURRENCY = "UZS"
MOST_CITIES = 100


async def find_services(session: Connected, page: PageRequest, order: Order, filters: Mapping[str, Any]) -> Rows:
    """One page of active services. Raises `Invalid` for an order by distance from nowhere."""
    if order == Order.NEAREST and filters["near"] is None:
        raise invalid_field("ordering", "distance needs near.", "needs_near")
    return await lists.services(session, await _narrowed(session, **filters), order, page)


def order_of(order: Order | None, search: str | None) -> Order:
    """What a list is ordered by: as asked for, else by relevance where something is searched for, else newest first.

    Raises `Invalid` for relevance to nothing.
    """
    if order == Order.RELEVANCE and search is None:
        raise invalid_field("ordering", "relevance needs search.", "needs_search")
    if order in (None, Order.RELEVANCE):
        return Order.RELEVANCE if search and search_terms(search) else Order.NEWEST
    return order


async def count_services(session: Connected, language: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    """How many active services there are by category, city and price band, as `find_services` would find them.

    A category counts its children's too; of cities there are the `MOST_CITIES` with the most.
    """
    counted = await facets.counts(session, await _narrowed(session, **filters))
    categories = {row.id: row for row in await categories_repo.categories(session)}
    by_category, by_city, by_band = Counter[UUID](), Counter[str](), Counter[int]()
    spellings: dict[str, str] = {}
    for row in counted:
        above: UUID | None = row["category_id"]
        while above:
            by_category[above] += row["count"]
            above = categories[above].parent_id
        by_band[row["band"]] += row["count"]
        if city := row["city"]:
            by_city[row["city_key"]] += row["count"]
            spellings.setdefault(row["city_key"], city)
    return {
        "count": sum(row["count"] for row in counted),
        "categories": [
            {"id": id_, "slug": row.slug, "name": name_in(row, language), "parent_id": row.parent_id, "count": count}
            for id_, row in categories.items()
            if (count := by_category[id_])
        ],
        "cities": [{"city": spellings[key], "count": count} for key, count in by_city.most_common(MOST_CITIES)],
        "price_bands": [
            {"min_price": lowest, "max_price": highest, "count": by_band[number]}
            for number, (lowest, highest) in enumerate(map(price_band, range(len(PRICE_BANDS) + 1)))
        ],
    }


async def _narrowed(
    session: Connected,
    *,
    search: str | None,
    category: str | None,
    worker: UUID | None,
    city: str | None,
    min_price: Decimal | None,
    max_price: Decimal | None,
    near: Point | None,
    radius_km: float,
) -> Filters:
    """`category` is a slug or an id and brings its children along."""
    return Filters(
        categories=tuple(await subtree(session, category)) if category else None,
        worker_id=worker,
        city=city,
        min_price=min_price,
        max_price=max_price,
        search=search or "",
        near=near,
        radius_km=radius_km,
    )


def as_found(row: Mapping[str, Any]) -> dict[str, Any]:
    """The service as a list shows it: with the distance, where one was asked for."""
    found = dict(row)
    metres = found.pop("metres", None)
    for by_the_way in ("score", "relevance", "away", "needed"):
        found.pop(by_the_way, None)
    found["distance_km"] = None if metres is None else round(metres / 1000, 1)
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
    location: Mapping[str, float] | None = None,
    confirmed_only: bool,
    moderated: bool = False,
) -> dict[str, Any]:
    """Put a service of `worker_id` into the catalog. With `confirmed_only`, a confirmed e-mail comes first; where it is
    `moderated`, it waits for a moderator.

    Returns it as its worker sees it. Raises `Invalid` for a category that is not there, and what `hold_worker` raises.
    """
    worker = await hold_worker(session, internal, worker_id, confirmed_only)
    names = (await hold_names(session, {category_id})).get(category_id)
    if names is None:
        raise invalid_field("category_id", "There is no such category.", "unknown")
    worker_name = worker.full_name if worker else None
    now = utcnow()
    service = Service(
        id=new_id(),
        worker_id=worker_id,
        worker_name=worker_name,
        category_id=category_id,
        title=title,
        description=description,
        price=price,
        currency=CURRENCY,
        price_type=price_type,
        duration_minutes=duration_minutes,
        city=city,
        lat=location["lat"] if location else None,
        lng=location["lng"] if location else None,
        status=status_when_offered(moderated=moderated),
        created_at=now,
        updated_at=now,
        search=search_vector(search_texts(title, description, worker_name, names)),
    )
    session.add(service)
    outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(service)))
    await session.flush()
    return await own_service(session, service.id)


async def service_state(session: Session, service_id: UUID) -> ServiceState:
    """For the other services, whatever its status. Raises `NotFound`."""
    found = await services_repo.service(session, service_id)
    if found is None:
        raise NotFound("There is no such service.")
    return ServiceState.model_validate(found)
