"""Pay by a provider that charges when asked, or be sent to one; and ask about what has no outcome."""

from contextlib import suppress
from uuid import UUID

import structlog

from services.payments.config import PaymentsSettings
from services.payments.flows.keyed import Answer, Keyed
from services.payments.models import Payment
from services.payments.providers import OutcomeUnknown, Providers, RedirectProvider
from services.payments.repo import payme as payme_repo
from services.payments.repo import payments as repo
from services.payments.schemas.payments import PaymentOut
from services.payments.service import attempts, captures, payme
from services.payments.service.attempts import Attempt, Terms, Wish
from shared.auth.users import User
from shared.db import Database, Session
from shared.db.base import utcnow
from shared.errors import Unavailable
from shared.http.internal import InternalClient

log = structlog.get_logger("payments")


class PaymentFlows:
    def __init__(self, database: Database, internal: InternalClient) -> None:
        self._database, self._internal = database, internal

    async def pay(self, terms: Terms, order_id: UUID, by: User, wish: Wish, keyed: Keyed) -> Answer:
        """Pay the order, or go on with the attempt under way. An outcome that no one knows yet stays `pending`."""
        async with self._database.session() as session:
            if first := await keyed.first_answer(session, _shown):
                return first
            attempt = await attempts.open_attempt(session, self._internal, terms, order_id, by, wish)
            await keyed.begin(session, attempt.payment.id)
            provider = terms.providers.of_payment(attempt.payment)
            if isinstance(provider, RedirectProvider):
                return await _answer(session, keyed, attempt, attempt.payment)
        try:
            charge = await provider.charge(attempt.payment, wish.source)
        except (OutcomeUnknown, Unavailable):
            charge = None
            log.warning("payment_outcome_unknown", payment_id=str(attempt.payment.id))
        async with self._database.session() as session:
            if charge is None:
                settled = await repo.payment(session, attempt.payment.id)
            else:
                settled = await captures.settle(session, attempt.payment, charge)
            return await _answer(session, keyed, attempt, settled)

    async def reconcile(self, settings: PaymentsSettings, providers: Providers) -> int:
        """Ask providers about attempts without an outcome; returns how many now have one. Safe to run at once.

        What a provider has never heard of after `VOID_AFTER` is voided there first, so that no late call charges it.
        """
        closed, last = await self._end_overdue(), None
        while True:
            async with self._database.session() as session:
                hanging = await repo.hanging_payments(session, settings.reconcile_after, last)
            for last in hanging:
                closed += await self._ask_about(last, providers, void=last.updated_at < utcnow() - settings.void_after)
            if len(hanging) < repo.BATCH:
                return closed

    async def _end_overdue(self) -> int:
        """Payme can't be asked: what hangs there ends by its calls, or by time."""
        async with self._database.session() as session:
            overdue = await payme_repo.overdue(session, payme.overdue_before())
        ended = 0
        for transaction in overdue:
            # Someone is at work on it: the next look will find it.
            with suppress(Unavailable):
                async with self._database.session() as session:
                    await payme.end_overdue(session, transaction)
                ended += 1
        return ended

    async def _ask_about(self, payment: Payment, providers: Providers, *, void: bool) -> bool:
        """Whether the attempt has an outcome now."""
        try:
            provider = providers.of_payment(payment)
            charge = await provider.find(payment)
            if charge is None and void:
                charge = await provider.void(payment)
        except (OutcomeUnknown, Unavailable):
            return False
        if charge is None:
            return False
        async with self._database.session() as session:
            await captures.settle(session, payment, charge)
        return True


async def _answer(session: Session, keyed: Keyed, attempt: Attempt, payment: Payment | None) -> Answer:
    return await keyed.answer(session, 201 if attempt.is_new else 200, PaymentOut.model_validate(payment))


async def _shown(session: Session, payment_id: UUID) -> PaymentOut:
    return PaymentOut.model_validate(await repo.payment(session, payment_id))
