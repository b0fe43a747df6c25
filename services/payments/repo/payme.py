"""Transactions of Payme's Merchant API."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from services.payments.models import Payment, PaymeReceipt, PaymeTransactionRow
from services.payments.repo import payments as payments_repo
from shared.db import Session

CREATED = 1
BATCH = 100


async def transaction(session: Session, transaction_id: str) -> PaymeTransactionRow | None:
    return await session.get(PaymeTransactionRow, transaction_id, populate_existing=True)


async def lock(session: Session, found: PaymeTransactionRow) -> tuple[Payment, PaymeTransactionRow]:
    """The payment that it hangs on, after its order, and then the transaction itself, locked."""
    _, payment = await payments_repo.lock(session, found.payment_id)
    locked = select(PaymeTransactionRow).where(PaymeTransactionRow.id == found.id).with_for_update()
    return payment, (await session.exec(locked.execution_options(populate_existing=True))).one()


async def receipt_of(session: Session, payment_id: UUID) -> str | None:
    """Of a card's charge, once there is one."""
    return (await session.exec(select(PaymeReceipt.receipt_id).where(PaymeReceipt.payment_id == payment_id))).first()


async def add(session: Session, row: PaymeTransactionRow) -> None:
    session.add(row)
    await session.flush()


async def statement(session: Session, begin: int, end: int) -> Sequence[PaymeTransactionRow]:
    """Those that Payme created between these milliseconds, both included, oldest first."""
    within = select(PaymeTransactionRow).where(col(PaymeTransactionRow.time).between(begin, end))
    return (await session.exec(within.order_by(col(PaymeTransactionRow.time), col(PaymeTransactionRow.id)))).all()


async def overdue(session: Session, before: int) -> Sequence[PaymeTransactionRow]:
    """Created ones of before that time, neither performed nor cancelled; a hundred at most."""
    hanging = select(PaymeTransactionRow).where(
        PaymeTransactionRow.state == CREATED, col(PaymeTransactionRow.time) < before
    )
    return (await session.exec(hanging.order_by(col(PaymeTransactionRow.time)).limit(BATCH))).all()


async def keep_fiscal_data(
    session: Session, transaction_id: str, kind: Literal["PERFORM", "CANCEL"], data: dict[str, Any]
) -> bool:
    """False where there is no such transaction."""
    column = "perform_fiscal_data" if kind == "PERFORM" else "cancel_fiscal_data"
    kept = update(PaymeTransactionRow).where(col(PaymeTransactionRow.id) == transaction_id).values({column: data})
    return (await session.exec(kept.returning(col(PaymeTransactionRow.id)))).first() is not None
