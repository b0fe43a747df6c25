"""What is owed to workers, and what they were paid out."""

from typing import Any

from fastapi import APIRouter

from services.payments.models import Payout
from services.payments.repo import ledger as repo
from services.payments.schemas.refunds import BalanceOut, PayoutIn, PayoutOut
from services.payments.service import payouts
from shared.auth.users import ActingAdmin, Worker
from shared.http.caching import no_store
from shared.http.pagination import Paging
from shared.http.problems import problems
from shared.http.service import DbSession, Snapshot

router = APIRouter(prefix="/api/payments", tags=["balances"], dependencies=[no_store])


@router.get("/balance/", response_model=BalanceOut, responses=problems(403))
async def read_balance(page: Paging, by: Worker, session: Snapshot) -> dict[str, Any]:
    """What is owed to you, and what moved it, newest first."""
    entries = page.page(await repo.entries(session, by.id, page), key=lambda entry: (entry["seq"],))
    return entries | {"balance": await repo.balance(session, by.id), "currency": payouts.CURRENCY}


@router.post("/payouts/", status_code=201, response_model=PayoutOut, responses=problems(403, 409))
async def pay_out(body: PayoutIn, by: ActingAdmin, session: DbSession) -> Payout:
    """Note that a worker was paid out; never more than their balance, and each reference once."""
    return await payouts.pay_out(session, by, body.worker_id, body.amount, body.reference)
