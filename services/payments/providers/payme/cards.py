"""Charging a card by the token that the payer's browser got from Payme, over the Subscribe API."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.models import Payment, PaymeReceipt, Refund
from services.payments.providers import CannotRefund, Card, CardToken, Charge, OutcomeUnknown, RefundDeclined
from services.payments.providers.http import Refused
from services.payments.providers.payme.subscribe import CANCELLED, PAID, PaymeSubscribeApi, declined_as
from shared.db import Database

CREATED = 0
VOIDED = "voided"


class PaymeCards:
    """One receipt a payment, on record before it is paid: whoever comes later asks about it, and pays no second."""

    def __init__(self, database: Database, api: PaymeSubscribeApi) -> None:
        self._database, self._api = database, api

    async def charge(self, payment: Payment, source: Card | CardToken | None) -> Charge:
        assert isinstance(source, CardToken)  # noqa: S101 - no number comes near a real provider
        if await self._kept(payment.id) is not None:
            return await self._known(payment)
        number = payment.order_number
        try:
            receipt = await self._api.create(number, payment.amount, f"Order {number}")
        except Refused as refusal:
            return Charge("", declined_as(refusal))
        if not await self._keep(payment.id, receipt.id):
            return await self._known(payment)
        try:
            paid = await self._api.pay(receipt.id, source.token)
        except Refused as refusal:
            return Charge(receipt.id, declined_as(refusal))
        return _charge_of(paid.id, paid.state)

    async def _known(self, payment: Payment) -> Charge:
        """Of a charge that someone else has begun."""
        if found := await self.find(payment):
            return found
        raise OutcomeUnknown("the receipt is about to be paid")

    async def find(self, payment: Payment) -> Charge | None:
        kept = await self._kept(payment.id)
        if kept is None:
            return None
        if kept.receipt_id is None:
            return Charge("", VOIDED)
        state = await self._state(kept.receipt_id)
        return None if state == CREATED else _charge_of(kept.receipt_id, state)

    async def void(self, payment: Payment) -> Charge:
        await self._keep(payment.id, None)
        kept = await self._kept(payment.id)
        if kept is None or kept.receipt_id is None:
            return Charge("", VOIDED)
        if (state := await self._state(kept.receipt_id)) != CREATED:
            return _charge_of(kept.receipt_id, state)
        try:
            # Of a receipt that is paid at this moment it sends the money back.
            cancelled = await self._api.cancel(kept.receipt_id)
        except Refused as refusal:
            raise OutcomeUnknown(f"not cancelled: {refusal}") from refusal
        return _charge_of(cancelled.id, cancelled.state)

    async def refund(self, payment: Payment, refund: Refund) -> None:
        kept = await self._kept(payment.id)
        if kept is None or kept.receipt_id is None:
            raise CannotRefund("no-receipt")
        if refund.amount != payment.amount:
            raise CannotRefund("part-of-a-receipt")
        if await self._state(kept.receipt_id) in CANCELLED:
            return
        try:
            cancelled = await self._api.cancel(kept.receipt_id)
        except Refused as refusal:
            raise RefundDeclined("refused-by-payme") from refusal
        if not cancelled.is_cancelled:
            raise OutcomeUnknown(f"the receipt is in state {cancelled.state}")

    async def _state(self, receipt_id: str) -> int:
        try:
            return await self._api.check(receipt_id)
        except Refused as refusal:
            raise OutcomeUnknown(f"nothing is said of the receipt: {refusal}") from refusal

    async def _kept(self, payment_id: UUID) -> PaymeReceipt | None:
        async with self._database.session() as session:
            return (await session.exec(select(PaymeReceipt).where(PaymeReceipt.payment_id == payment_id))).first()

    async def _keep(self, payment_id: UUID, receipt_id: str | None) -> bool:
        """Whether this is the payment's one receipt; None keeps it from ever having one."""
        row = {"payment_id": payment_id, "receipt_id": receipt_id}
        kept = insert(PaymeReceipt).values(row).on_conflict_do_nothing(index_elements=["payment_id"])
        async with self._database.session() as session:
            return (await session.exec(kept.returning(col(PaymeReceipt.payment_id)))).first() is not None


def _charge_of(receipt_id: str, state: int) -> Charge:
    if state == PAID:
        return Charge(receipt_id)
    if state in CANCELLED:
        return Charge(receipt_id, VOIDED)
    raise OutcomeUnknown(f"the receipt is in state {state}")
