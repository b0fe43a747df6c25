"""Copies of what other services own."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy import select as rows_of
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from services.orders.models import Offer, Person, order_numbers
from shared.db import Session
from shared.db.copies import keep_if_newer, keep_tombstone


async def offer(session: Session, service_id: UUID) -> Offer | None:
    return await session.get(Offer, service_id, populate_existing=True)


async def keep_offer(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, Offer, values)


async def person(session: Session, user_id: UUID) -> Person | None:
    return await session.get(Person, user_id, populate_existing=True)


async def hold_people(session: Session, user_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """The copies, by id; until the transaction ends nobody changes them, but others may hold them too."""
    held = select(Person).where(col(Person.id).in_(user_ids)).order_by(col(Person.id)).with_for_update(read=True)
    people = (await session.exec(held.execution_options(populate_existing=True))).all()
    return {person.id: person for person in people}


class Terms(NamedTuple):
    """What a new order is made of, as our copies have it."""

    number: int
    offer: Offer
    client: Person | None
    owner: Person | None


async def hold_terms(session: Session, *, service_id: UUID, client_id: UUID) -> Terms | None:
    """The next number, the offer, and its two people held as by `hold_people`; None where there is no such offer."""
    ids = {"service_id": service_id, "client_id": client_id}
    found = await session.exec(_TERMS, params=ids, execution_options={"populate_existing": True})
    return Terms(*row) if (row := found.first()) else None


async def keep_person(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, Person, values)


async def bury_person(session: Session, user_id: UUID, version: int) -> None:
    values = {"id": user_id, "role": None, "is_active": False, "is_confirmed": False, "version": version}
    await keep_tombstone(session, Person, values)


def _terms() -> Any:
    offer = rows_of(Offer).where(col(Offer.id) == bindparam("service_id")).cte("offer")
    of_offer = aliased(Offer, offer)
    # Not as an OR of the two, which no index serves.
    parties = col(Person.id).in_((bindparam("client_id"), rows_of(offer.c.worker_id).scalar_subquery()))
    # In the order of ids, so that no two transactions wait for each other.
    people = rows_of(Person).where(parties).order_by(col(Person.id)).with_for_update(read=True).cte("people")
    client, owner = (aliased(Person, people.alias(name)) for name in ("client", "owner"))
    return (
        rows_of(order_numbers.next_value(), of_offer, client, owner)
        .select_from(of_offer)
        .outerjoin(client, col(client.id) == bindparam("client_id"))
        .outerjoin(owner, col(owner.id) == col(of_offer.worker_id))
    )


_TERMS = _terms()
"""Put together once: that takes as long as to run it."""
