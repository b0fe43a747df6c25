"""What orders knows of other services' things: copies kept by events, and the owner asked where a copy would refuse."""

from collections.abc import Callable
from uuid import UUID

from services.orders.domain import UNDER_WAY
from services.orders.models import Offer, Order, Person
from services.orders.repo import copies as repo
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


async def hold_parties(
    session: Session, internal: InternalClient, *, client_id: UUID, owner_id: UUID, confirmed_only: bool
) -> None:
    """Raise unless these two may begin an order. Until it is written neither is banned or erased here: who does that
    waits for this transaction, and finds the order.

    Raises `Unauthenticated` for a client who is banned or erased, `Conflict` where the client has to confirm their
    e-mail first or the worker offers nothing any more, and `OwnerAway` where nobody can tell.
    """

    def may_order(person: Person) -> bool:
        return person.is_active and (person.is_confirmed or not confirmed_only)

    wanted = {client_id: may_order, owner_id: is_active_worker}
    people = await repo.hold_people(session, wanted)
    in_doubt = [id_ for id_, suits in wanted.items() if id_ not in people or not suits(people[id_])]
    for user_id in in_doubt:  # what one answer brings is committed by the next question, and true whatever comes of it
        await find_person(session, internal, user_id, wanted[user_id])
    if in_doubt:
        people = await repo.hold_people(session, wanted)
    client, owner = people.get(client_id), people.get(owner_id)
    if client is None or not client.is_active:
        raise invalid_token("This login has been ended.")
    if not may_order(client):
        raise Conflict("Confirm your e-mail address before you order.", slug="email-not-confirmed")
    if owner is None or not is_active_worker(owner):
        raise _not_available()


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
