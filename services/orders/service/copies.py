"""What orders knows of other services' things: copies kept by events, and the owner asked where a copy would refuse."""

from collections.abc import Callable
from uuid import UUID

from services.orders.domain import UNDER_WAY
from services.orders.models import Offer, Order, Person
from services.orders.repo import copies as repo
from services.orders.repo.copies import Terms
from shared.auth.tokens import invalid_token
from shared.auth.users import User
from shared.contracts.accounts import UserState
from shared.contracts.catalog import ServiceState
from shared.db import Session, release
from shared.errors import Conflict, NotFound
from shared.http.internal import InternalClient, OwnerAway


async def keep_offer(session: Session, service: ServiceState) -> None:
    values = service.model_dump(include={"id", "worker_id", "title", "price", "currency", "status", "version"})
    await repo.keep_offer(session, values)


async def keep_person(session: Session, user: UserState) -> None:
    values = user.model_dump(include={"id", "role", "is_active", "is_confirmed", "version"})
    await repo.keep_person(session, values)


async def orderable(session: Session, internal: InternalClient, service_id: UUID) -> Offer:
    """The service as our copy has it; where that would refuse, as catalog says, if catalog can say.

    Raises `NotFound`, `Conflict` for one that is hidden, and `OwnerAway` where nobody can tell which it is.
    """
    offer = await repo.offer(session, service_id)
    if offer is None or offer.status != "active":
        path = f"/internal/services/{service_id}/"
        if found := await internal.ask_owner(session, "catalog", path, copy=offer):
            await keep_offer(session, ServiceState.model_validate(found))
            offer = await repo.offer(session, service_id)
    if offer is None:
        raise NotFound("There is no such service.")
    if offer.status != "active":
        raise _not_available()
    return offer


async def find_person(
    session: Session, internal: InternalClient, user_id: UUID, suits: Callable[[Person], bool]
) -> Person | None:
    """The person as our copy has them; where that is missing or does not suit, as accounts says, if accounts can say.

    Raises `OwnerAway` where neither can tell.
    """
    person = await repo.person(session, user_id)
    if person is None or not suits(person):
        path = f"/internal/users/{user_id}/"
        if found := await internal.ask_owner(session, "accounts", path, copy=person):
            await keep_person(session, UserState.model_validate(found))
            person = await repo.person(session, user_id)
    return person


async def hold_terms(
    session: Session, internal: InternalClient, *, service_id: UUID, client_id: UUID, confirmed_only: bool
) -> Terms:
    """What a new order is made of. Until it is written neither of its two is banned or erased here: who does that waits
    for this transaction, and finds the order.

    Raises what `orderable` does, `Unauthenticated` for a client who is banned or erased, `Conflict` where the client
    has to confirm their e-mail first or the worker offers nothing any more, and `OwnerAway` where nobody can tell.
    """

    def may_order(person: Person) -> bool:
        return person.is_active and (person.is_confirmed or not confirmed_only)

    def suit(terms: Terms | None) -> bool:
        return (
            terms is not None
            and terms.offer.status == "active"
            and terms.client is not None
            and may_order(terms.client)
            and terms.owner is not None
            and is_active_worker(terms.owner)
        )

    terms = await repo.hold_terms(session, service_id=service_id, client_id=client_id)
    if not suit(terms):
        # What one answer brings is committed by the next question, and true whatever comes of it.
        offer = await orderable(session, internal, service_id)
        await find_person(session, internal, client_id, may_order)
        await find_person(session, internal, offer.worker_id, is_active_worker)
        terms = await repo.hold_terms(session, service_id=service_id, client_id=client_id)
    if terms is None:
        raise NotFound("There is no such service.")
    if terms.client is None or not terms.client.is_active:
        raise invalid_token("This login has been ended.")
    if not may_order(terms.client):
        raise Conflict("Confirm your e-mail address before you order.", slug="email-not-confirmed")
    if not suit(terms):
        raise _not_available()
    return terms


async def worker_phone(session: Session, internal: InternalClient, order: Order, by: User) -> str | None:
    """The phone of the worker who is at it, for the client alone; None also while accounts can't say. Ends the
    transaction."""
    if by.id != order.client_id or order.worker_id is None or order.status not in UNDER_WAY:
        return None
    await release(session)
    try:
        found = await internal.find("accounts", f"/internal/users/{order.worker_id}/phone/")
    except OwnerAway:
        return None
    return found["phone"] if found else None


def is_active_worker(person: Person) -> bool:
    return person.role == "worker" and person.is_active


def _not_available() -> Conflict:
    return Conflict("This service can't be ordered now.", slug="service-not-available")
