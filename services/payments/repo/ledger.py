"""The books: written once, read as often as one likes."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import RowMapping, func
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.payments.ledger import COMMISSION, ESCROW, WORKER, ZERO, Entry, Kind, Standing
from services.payments.models import Base, LedgerEntry, LedgerTransaction, Payment, Payout
from shared.db import Session, write_new
from shared.db.base import utcnow
from shared.http.pagination import Ordering, PageRequest, parse_seq
from shared.ids import new_id

_TRANSACTIONS, _ENTRIES = (Base.metadata.tables[name].c for name in ("ledger_transactions", "ledger_entries"))
MOVEMENT = [
    *(_ENTRIES[name] for name in ("seq", "amount", "currency")),
    *(_TRANSACTIONS[name] for name in ("kind", "order_id", "refund_id", "payout_id", "at")),
]


async def post(
    session: Session, kind: Kind, entries: Sequence[Entry], payment: Payment, refund_id: UUID | None = None
) -> None:
    """Write a movement of the payment's money, in the transaction of what it tells of."""
    row = LedgerTransaction(
        id=new_id(), kind=kind, order_id=payment.order_id, payment_id=payment.id, refund_id=refund_id, at=utcnow()
    )
    await _write(session, row, entries, payment.currency)


async def post_payout(session: Session, entries: Sequence[Entry], payout: Payout) -> None:
    row = LedgerTransaction(id=new_id(), kind=Kind.PAYOUT, payout_id=payout.id, at=payout.created_at)
    await _write(session, row, entries, payout.currency)


async def _write(session: Session, row: LedgerTransaction, entries: Sequence[Entry], currency: str) -> None:
    session.add(row)
    session.add_all(LedgerEntry(transaction_id=row.id, currency=currency, **entry._asdict()) for entry in entries)
    # At once: the ORM, where it writes before a query, does not know which of the two refers to the other.
    await write_new(session)


async def standing(session: Session, order_id: UUID) -> Standing:
    """Where the order's money is. The order's copy must be locked."""
    sums = (
        select(LedgerEntry.account, LedgerEntry.owner_id, func.sum(LedgerEntry.amount))
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerTransaction.order_id == order_id, col(LedgerEntry.account).in_((ESCROW, WORKER, COMMISSION)))
        .group_by(col(LedgerEntry.account), col(LedgerEntry.owner_id))
    )
    found = {account: (owner, amount) for account, owner, amount in (await session.exec(sums)).all()}
    worker_id, worker = found.get(WORKER, (None, ZERO))
    return Standing(
        escrow=found.get(ESCROW, (None, ZERO))[1],
        worker_id=worker_id,
        worker=worker,
        commission=found.get(COMMISSION, (None, ZERO))[1],
    )


async def entries_of_opening(session: Session, refund_id: UUID) -> list[Entry]:
    """Whence the money of a promised refund came."""
    opening = (
        select(LedgerEntry)
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerTransaction.refund_id == refund_id, LedgerTransaction.kind == Kind.REFUND_OPENED)
    )
    return [Entry(row.account, row.owner_id, row.amount) for row in (await session.exec(opening)).all()]


async def balance(session: Session, worker_id: UUID) -> Decimal:
    """What we owe them; below zero, what they owe us."""
    owed = func.coalesce(func.sum(LedgerEntry.amount), ZERO)
    of_them = select(owed).where(LedgerEntry.account == WORKER, LedgerEntry.owner_id == worker_id)
    return (await session.exec(of_them)).one()


async def entries(session: Session, worker_id: UUID, page: PageRequest) -> Sequence[RowMapping]:
    """One page of what moved their balance, newest first."""
    ordering = Ordering((LedgerEntry.seq,), (parse_seq,), descending=True)
    of_them = (
        rows_of(*MOVEMENT)
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(col(LedgerEntry.account) == WORKER, col(LedgerEntry.owner_id) == worker_id)
    )
    rows: Sequence[RowMapping] = (
        (await (await session.connection()).execute(page.apply(of_them, ordering))).mappings().all()
    )
    return rows


async def take_turn_at_payouts(session: Session) -> None:
    """Payouts take turns, to the end of the transaction: they are few, and neither a balance nor a reference may be
    spent twice."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended("payouts", 0))))


async def payout_exists(session: Session, reference: str) -> bool:
    return (await session.exec(select(Payout.id).where(Payout.reference == reference))).first() is not None


async def payouts_of(session: Session, worker_id: UUID) -> Sequence[Payout]:
    found = select(Payout).where(Payout.worker_id == worker_id).order_by(col(Payout.created_at))
    return (await session.exec(found)).all()


async def add_payout(session: Session, payout: Payout) -> None:
    session.add(payout)
    await session.flush()
