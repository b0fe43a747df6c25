"""What workers are paid out."""

from decimal import Decimal
from uuid import UUID

import structlog

from services.payments import ledger
from services.payments.models import Payout
from services.payments.repo import ledger as repo
from shared.auth.users import User
from shared.db import Session
from shared.db.base import utcnow
from shared.errors import Conflict
from shared.ids import new_id

CURRENCY = "UZS"

log = structlog.get_logger("payments")


async def pay_out(session: Session, by: User, worker_id: UUID, amount: Decimal, reference: str) -> Payout:
    """Book what a worker was paid. Raises `Conflict` for more than their balance, and for a reference booked before."""
    await repo.take_turn_at_payouts(session)
    if await repo.payout_exists(session, reference):
        raise Conflict("A payout with this reference is booked.", slug="payout-exists")
    balance = await repo.balance(session, worker_id)
    if amount > balance:
        raise Conflict(f"The balance is {balance:.2f} {CURRENCY}.", slug="above-balance", balance=f"{balance:.2f}")
    payout = Payout(
        id=new_id(),
        worker_id=worker_id,
        amount=amount,
        currency=CURRENCY,
        reference=reference,
        paid_by=by.id,
        created_at=utcnow(),
    )
    await repo.add_payout(session, payout)
    await repo.post_payout(session, ledger.paid_out(worker_id, amount), payout)
    log.info("paid_out", payout_id=str(payout.id), worker_id=str(worker_id), amount=str(amount))
    return payout
