"""What payments holds of a user, tells of them, and forgets."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.payments.models import Refund
from services.payments.repo import keyed_calls
from services.payments.repo import ledger as ledger_repo
from services.payments.repo import payments as payments_repo
from services.payments.repo import refunds as refunds_repo
from shared.db import Session, saved_answers


async def forget_user(session: Session, user_id: UUID) -> None:
    """The money stays on record under their id; what tells of the person does not."""
    await payments_repo.forget(session, user_id)
    await refunds_repo.forget_reasons(session, user_id)
    await saved_answers.forget(session, user_id)
    await keyed_calls.forget(session, user_id)


async def export(session: Session, user_id: UUID) -> dict[str, Any]:
    """All payments that they are a party to, oldest first, with refunds, and their payouts; cards only where they
    paid."""
    payments = [dict(row) for row in await payments_repo.payments_of(session, user_id)]
    refunds = await refunds_repo.of_payments(session, [payment["id"] for payment in payments])
    for payment in payments:
        if payment["client_id"] != user_id:
            payment |= dict.fromkeys(("card_brand", "card_last4", "return_url", "checkout_url"))
        payment["refunds"] = _told(refunds[payment["id"]])
    payouts = [payout.model_dump(exclude={"paid_by"}) for payout in await ledger_repo.payouts_of(session, user_id)]
    return {"payments": payments, "payouts": payouts}


def _told(refunds: Sequence[Refund]) -> list[dict[str, Any]]:
    return [refund.model_dump(include={"id", "amount", "status", "created_at", "completed_at"}) for refund in refunds]
