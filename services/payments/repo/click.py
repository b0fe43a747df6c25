"""Click's transactions."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.models import ClickTransactionRow
from shared.db import Session


async def of_click(session: Session, click_trans_id: int) -> ClickTransactionRow | None:
    """By Click's own number."""
    found = select(ClickTransactionRow).where(ClickTransactionRow.click_trans_id == click_trans_id)
    return (await session.exec(found.execution_options(populate_existing=True))).first()


async def transaction(session: Session, prepare_id: int) -> ClickTransactionRow | None:
    return await session.get(ClickTransactionRow, prepare_id, populate_existing=True)


async def lock(session: Session, prepare_id: int) -> ClickTransactionRow:
    """After its order and its payment."""
    locked = select(ClickTransactionRow).where(ClickTransactionRow.prepare_id == prepare_id).with_for_update()
    return (await session.exec(locked.execution_options(populate_existing=True))).one()


async def add(session: Session, values: dict[str, Any]) -> ClickTransactionRow | None:
    """None where there is one of this `click_trans_id` already."""
    added = insert(ClickTransactionRow).values(values).on_conflict_do_nothing(index_elements=["click_trans_id"])
    prepare_id = (await session.exec(added.returning(col(ClickTransactionRow.prepare_id)))).scalar_one_or_none()
    return None if prepare_id is None else await transaction(session, prepare_id)
