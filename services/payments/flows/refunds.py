"""Send money back by a provider."""

from decimal import Decimal
from http import HTTPStatus
from uuid import UUID

import structlog

from services.payments.config import PaymentsSettings
from services.payments.flows.keyed import Answer, Keyed
from services.payments.providers import CannotRefund, OutcomeUnknown, Providers, RefundDeclined
from services.payments.repo import payments as payments_repo
from services.payments.repo import refunds as repo
from services.payments.schemas.refunds import RefundOut
from services.payments.service import refunds
from services.payments.service.attempts import Terms
from shared.auth.users import User
from shared.db import Database, Session
from shared.errors import Unavailable

log = structlog.get_logger("payments")


class RefundFlows:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def refund(
        self, terms: Terms, payment_id: UUID, by: User, amount: Decimal | None, reason: str | None, keyed: Keyed
    ) -> Answer:
        """Give money back. A refund whose outcome no one knows yet stays `pending`."""
        async with self._database.session() as session:
            if first := await keyed.first_answer(session, _shown):
                return first
            opened = await refunds.refund(session, payment_id, by, amount, reason)
            await keyed.begin(session, opened.id)
            # With the refund itself, so that no timer asks at the same moment.
            await repo.claim(session, opened.id, terms.settings.reconcile_after)
        await self._send(terms.providers, opened.id)
        async with self._database.session() as session:
            return await keyed.answer(session, HTTPStatus.CREATED, await _shown(session, opened.id))

    async def send_due(self, settings: PaymentsSettings, providers: Providers) -> int:
        """Ask for all that waits, unless someone has within `RECONCILE_AFTER`; returns how many have an outcome now.
        Safe to run at once."""
        async with self._database.session() as session:
            due = await repo.due(session, settings.reconcile_after)
        sent = 0
        for refund_id in due:
            async with self._database.session() as session:
                is_mine = await repo.claim(session, refund_id, settings.reconcile_after)
            sent += is_mine and await self._send(providers, refund_id)
        return sent

    async def _send(self, providers: Providers, refund_id: UUID) -> bool:
        """Ask the provider for a refund that is claimed; whether it has an outcome now."""
        async with self._database.session() as session:
            refund = await repo.refund(session, refund_id)
            assert refund is not None  # noqa: S101 - just claimed
            payment = await payments_repo.payment(session, refund.payment_id)
            assert payment is not None  # noqa: S101 - by its foreign key
        try:
            await providers.of_payment(payment).refund(payment, refund)
        except (OutcomeUnknown, Unavailable):
            log.warning("refund_outcome_unknown", refund_id=str(refund_id))
            return False
        except CannotRefund as error:
            async with self._database.session() as session:
                await refunds.leave_to_a_person(session, refund_id, str(error))
        except RefundDeclined as error:
            async with self._database.session() as session:
                await refunds.decline(session, refund_id, str(error))
        else:
            async with self._database.session() as session:
                await refunds.complete(session, refund_id)
        return True


async def _shown(session: Session, refund_id: UUID) -> RefundOut:
    return RefundOut.model_validate(await repo.refund(session, refund_id))
