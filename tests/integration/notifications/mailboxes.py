"""What notifications keeps of a person, put there and looked up without waiting for events."""

from uuid import UUID

from sqlmodel import col, func, select

from marketplace.system import System
from services.notifications import service
from services.notifications.domain import Type
from services.notifications.models import SocketTicket
from services.notifications.service import Notice
from shared.db import Database
from tests.support.people import Person

DATA = {
    "order_id": "0199c0de-0000-7000-8000-000000000042",
    "number": "2026-000042",
    "service_title": "Leaking tap repair",
    "status": "in_progress",
    "amount": "150000.00",
    "refund_amount": "50000.00",
    "currency": "UZS",
}
"""What any notification may tell of."""


def database_of(system: System) -> Database:
    found: Database = system.apps["notifications"].state.platform.database
    return found


async def notified(system: System, person: Person, *kinds: Type) -> None:
    """Tell the person of each, in one batch."""
    notices = [Notice(kind, DATA, [UUID(person.id)]) for kind in kinds or (Type.ORDER_CREATED,)]
    async with database_of(system).session() as session:
        await service.notify(session, notices)


async def tickets_of(system: System, person: Person) -> int:
    theirs = select(func.count()).where(col(SocketTicket.user_id) == UUID(person.id))
    async with database_of(system).session() as session:
        return (await session.exec(theirs)).one()
