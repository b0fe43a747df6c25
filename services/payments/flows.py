"""A payment in three steps: record the attempt, call the provider outside any transaction, record the outcome.

A process that dies between two steps leaves a pending attempt. Its reference never charges twice, so whoever comes
next, the client again or the timer, may ask under it without fear.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog

from services.payments import repo, service
from services.payments.domain import Method
from services.payments.providers import Card, OutcomeUnknown, PaymentProvider
from services.payments.service import Attempt
from shared.auth.users import User
from shared.db import Database
from shared.errors import Unavailable
from shared.http.internal import InternalClient

log = structlog.get_logger("payments")


class PaymentFlows:
    def __init__(self, database: Database, internal: InternalClient, provider: PaymentProvider) -> None:
        self._database, self._internal, self.provider = database, internal, provider

    async def pay(self, order_id: UUID, by: User, method: Method, card: Card | None) -> Attempt:
        """Pay the order, or go on with the attempt under way. An outcome that no one knows yet stays `pending`."""
        async with self._database.session() as session:
            attempt = await service.open_attempt(session, self._internal, order_id, by, method, card)
        payment = attempt.payment
        try:
            charge = await self.provider.charge(payment.id, payment.amount, card)
        except (OutcomeUnknown, Unavailable):
            log.warning("payment_outcome_unknown", payment_id=str(payment.id))
            return attempt
        async with self._database.session() as session:
            return replace(attempt, payment=await service.close_attempt(session, payment.id, charge))

    async def reconcile(self, older_than: timedelta, void_after: timedelta) -> int:
        """Ask the provider about attempts without an outcome; returns how many now have one. Safe to run at once.

        What the provider has never heard of after `void_after` is voided there first, so that no late call charges it.
        """
        async with self._database.session() as session:
            hanging = await repo.hanging_payments(session, older_than)
            too_old = set(await repo.hanging_payments(session, void_after))
        closed = 0
        for payment_id in hanging:
            try:
                charge = await self.provider.find(payment_id)
                if charge is None and payment_id in too_old:
                    charge = await self.provider.void(payment_id)
            except (OutcomeUnknown, Unavailable):
                continue
            if charge is not None:
                async with self._database.session() as session:
                    await service.close_attempt(session, payment_id, charge)
                closed += 1
        return closed

    async def reconcile_forever(self, every: timedelta, older_than: timedelta, void_after: timedelta) -> None:
        while True:
            try:
                if closed := await self.reconcile(older_than, void_after):
                    log.info("payments_reconciled", closed=closed)
            except Exception as error:
                log.warning("reconciliation_waits", error=repr(error))
            await asyncio.sleep(every.total_seconds())
