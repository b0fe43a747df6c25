"""Copies of what other services own."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.orders.models import Base, Offer, Person, order_numbers
from shared.db import Session, Statement
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
    return await _TERMS.first(session, service_id=service_id, client_id=client_id)


async def keep_person(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, Person, values)


async def bury_person(session: Session, user_id: UUID, version: int) -> None:
    values = {"id": user_id, "role": None, "is_active": False, "is_confirmed": False, "version": version}
    await keep_tombstone(session, Person, values)


def _terms() -> Statement[Terms]:
    offers, everyone = (Base.metadata.tables[name] for name in ("offers", "people"))
    offer = rows_of(*offers.columns).where(offers.c.id == bindparam("service_id")).cte("offer")
    # Not as an OR of the two, which no index serves.
    parties = everyone.c.id.in_((bindparam("client_id"), rows_of(offer.c.worker_id).scalar_subquery()))
    # In the order of ids, so that no two transactions wait for each other.
    people = rows_of(*everyone.columns).where(parties).order_by(everyone.c.id).with_for_update(read=True).cte("people")
    client, owner = people.alias("client"), people.alias("owner")
    columns = [column.label(f"{of.name}_{column.name}") for of in (offer, client, owner) for column in of.columns]
    return Statement(
        rows_of(order_numbers.next_value().label("number"), *columns)
        .select_from(offer)
        .outerjoin(client, client.c.id == bindparam("client_id"))
        .outerjoin(owner, owner.c.id == offer.c.worker_id),
        _terms_of,
    )


def _terms_of(number: int, **columns: Any) -> Terms:
    def part(of: str) -> dict[str, Any]:
        return {name.removeprefix(of): value for name, value in columns.items() if name.startswith(of)}

    offer, *people = Offer.model_construct(**part("offer_")), part("client_"), part("owner_")
    client, owner = (Person.model_construct(**person) if person["id"] else None for person in people)
    return Terms(number, offer, client, owner)


_TERMS = _terms()
