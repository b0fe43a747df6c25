"""Copies of what other services own."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from services.orders.models import Offer, Person
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


async def keep_person(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, Person, values)


async def bury_person(session: Session, user_id: UUID, version: int) -> None:
    values = {"id": user_id, "role": None, "is_active": False, "is_confirmed": False, "version": version}
    await keep_tombstone(session, Person, values)
