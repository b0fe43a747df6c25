"""What becomes of orders when one of their people is banned or erased, and what is held of a user."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.orders.models import HistoryEntry
from services.orders.repo import copies as copies_repo
from services.orders.repo import disputes as disputes_repo
from services.orders.repo import orders as repo
from services.orders.service import copies, moves
from shared.contracts.accounts import UserState
from shared.db import Session, saved_answers

BATCH = 100
"""Orders cancelled by one statement, well within the time that a statement has."""
OF_THE_CLIENT = ("description", "address", "contact_phone")
"""What a client tells of themselves on an order."""


async def note_user(session: Session, user: UserState) -> None:
    """Keep what accounts says of a user, if it is newer. The pending orders of one who is inactive are cancelled."""
    await copies.keep_person(session, user)
    person = await copies_repo.person(session, user.id)
    if person is not None and not person.is_active:
        await _cancel_pending(session, user.id)


async def forget_user(session: Session, user_id: UUID, version: int) -> None:
    """Cancel their pending orders and forget what they wrote. What was agreed, and their id, stay."""
    await copies_repo.bury_person(session, user_id, version)
    await _cancel_pending(session, user_id)
    await repo.forget_texts(session, user_id)
    await disputes_repo.forget_texts(session, user_id)
    await saved_answers.forget(session, user_id)


async def _cancel_pending(session: Session, user_id: UUID) -> None:
    """Each by the system, with its history and its event; what has moved on meanwhile stays."""
    while cancelled := await repo.cancel_pending_of(session, user_id, BATCH):
        for order in cancelled:
            await moves.note_cancelled(session, order, moves.without(order, user_id))


async def export(session: Session, user_id: UUID) -> list[dict[str, Any]]:
    """All orders that they are a party to, oldest first, with history; of what people wrote, only their own."""
    history: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for entry in await repo.histories_of(session, user_id):
        history[entry.order_id].append(_as_told_to(user_id, entry))
    orders = [dict(row) for row in await repo.orders_of(session, user_id)]
    disputes: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await disputes_repo.disputes_of(session, [order["id"] for order in orders]):
        disputes[row["order_id"]].append(_dispute_as_told_to(user_id, row))
    for order in orders:
        if order["client_id"] != user_id:
            order |= dict.fromkeys(OF_THE_CLIENT)
        order["history"], order["disputes"] = history[order["id"]], disputes[order["id"]]
    return orders


def _as_told_to(user_id: UUID, entry: HistoryEntry) -> dict[str, Any]:
    return {
        "from": entry.from_status,
        "to": entry.to_status,
        "actor_id": entry.actor_id,
        "actor_role": entry.actor_role,
        "note": entry.note if entry.actor_id in (user_id, None) else None,
        "at": entry.at,
    }


def _dispute_as_told_to(user_id: UUID, row: RowMapping) -> dict[str, Any]:
    told = dict(row)
    if told["opened_by"] != user_id:
        told["reason"] = None
    if told["resolved_by"] != user_id:
        told["note"] = None
    return told
