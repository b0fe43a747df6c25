"""The product with one of its safeguards taken out, so that the oracle has something to find.

`python -m tests.chaos.mutants NAME serve orders …` is the `marketplace` with that one fault. The product itself knows
nothing of this: names in it are replaced before it starts.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def no_inbox() -> None:
    """Every delivery takes effect, the second one too."""
    from shared.messaging.inbox import Inbox

    claim, claim_all = Inbox._claim, Inbox._claim_all

    async def always(self: Inbox, session: Any, envelope: Any) -> bool:
        await claim(self, session, envelope)
        return True

    async def all_of_them(self: Inbox, session: Any, envelopes: Sequence[Any]) -> list[Any]:
        await claim_all(self, session, envelopes)
        return [*envelopes]

    Inbox._claim, Inbox._claim_all = always, all_of_them  # type: ignore[method-assign]


def mark_before_publish() -> None:
    """Events count as published before the broker has them."""
    from sqlalchemy import func, update
    from sqlmodel import col, select

    from shared.messaging.bus import OutgoingMessage
    from shared.messaging.relay import BATCH, Relay
    from shared.messaging.tables import OutboxRow

    async def publish_batch(self: Relay) -> int:
        async with self._database.session() as session:
            due = select(OutboxRow).where(col(OutboxRow.published_at).is_(None)).order_by(col(OutboxRow.seq))
            rows = (await session.exec(due.limit(BATCH).with_for_update(skip_locked=True))).all()
            messages = [OutgoingMessage(str(row.event_id), row.name, row.envelope.encode()) for row in rows]
            these = col(OutboxRow.seq).in_([row.seq for row in rows])
            await session.exec(update(OutboxRow).where(these).values(published_at=func.now()))
        if messages:
            await self._bus.publish(messages)
        return len(messages)

    Relay.publish_batch = publish_batch  # type: ignore[method-assign]
    Relay.hand_over = lambda self, message: self.look()  # type: ignore[method-assign,assignment]


def not_persistent() -> None:
    """Messages live in the broker's memory, in classic queues."""
    from aio_pika import Message

    from shared.messaging import rabbit, topology

    def event_queue(service: str, event_name: str) -> topology.Queue:
        return topology.Queue(f"{service}.{event_name}", topology.EVENTS, event_name, {})

    def forgetful(*arguments: Any, delivery_mode: Any = None, **more: Any) -> Message:
        return Message(*arguments, **more)

    topology.event_queue = rabbit.event_queue = event_queue
    rabbit.Message = forgetful  # type: ignore[misc,assignment]


def ack_before_commit() -> None:
    """The broker forgets a message as soon as somebody has begun with it."""
    from shared.contracts import Envelope
    from shared.messaging.rabbit import RabbitBus

    async def take(self: RabbitBus, receiver: Any, message: Any) -> None:
        await message.ack()
        await receiver.receive(Envelope.model_validate_json(message.body))

    RabbitBus._take = take  # type: ignore[method-assign]


def commit_after_response() -> None:
    """FastAPI's own default: a dependency's transaction ends once the answer is on its way."""
    import fastapi

    depends = fastapi.Depends

    def without_scope(*arguments: Any, scope: str | None = None, **more: Any) -> Any:
        return depends(*arguments, **more)

    fastapi.Depends = without_scope  # type: ignore[assignment]


def new_reference_on_retry() -> None:
    """Who pays once more is charged once more, by a new receipt."""
    from services.payments.providers import Charge
    from services.payments.providers.http import Refused
    from services.payments.providers.payme.cards import PaymeCards, _charge_of
    from services.payments.providers.payme.subscribe import declined_as

    async def charge(self: PaymeCards, payment: Any, source: Any) -> Any:
        receipt = await self._api.create(payment.order_number, payment.amount, f"Order {payment.order_number}")
        await self._keep(payment.id, receipt.id)
        try:
            paid = await self._api.pay(receipt.id, source.token)
        except Refused as refusal:
            return Charge(receipt.id, declined_as(refusal))
        return _charge_of(paid.id, paid.state)

    PaymeCards.charge = charge  # type: ignore[method-assign]


def reject_without_dead_letters() -> None:
    """What fails is neither kept by the inbox nor by the broker."""
    from shared.contracts import Envelope
    from shared.messaging import rabbit, topology
    from shared.messaging.inbox import Inbox

    def event_queue(service: str, event_name: str) -> topology.Queue:
        return topology.Queue(f"{service}.{event_name}", topology.EVENTS, event_name, {"x-queue-type": "quorum"})

    async def keep_nothing(self: Inbox, envelope: Any, error: Exception) -> None:
        raise error

    async def take(self: rabbit.RabbitBus, receiver: Any, message: Any) -> None:
        try:
            await receiver.receive(Envelope.model_validate_json(message.body))
        except Exception:
            await message.reject()
        else:
            await message.ack()

    topology.event_queue = rabbit.event_queue = event_queue
    Inbox._keep = keep_nothing  # type: ignore[method-assign]
    rabbit.RabbitBus._take = take  # type: ignore[method-assign]


MUTATIONS: Mapping[str, Callable[[], None]] = {
    "no-inbox": no_inbox,
    "mark-before-publish": mark_before_publish,
    "not-persistent": not_persistent,
    "ack-before-commit": ack_before_commit,
    "commit-after-response": commit_after_response,
    "new-reference-on-retry": new_reference_on_retry,
    "reject-without-dead-letters": reject_without_dead_letters,
}

if __name__ == "__main__":
    MUTATIONS[sys.argv.pop(1)]()
    from marketplace.cli import main

    main()
