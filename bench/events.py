"""Orders that were made, as orders tells of them."""

from decimal import Decimal
from uuid import UUID

from shared.contracts.envelope import Envelope
from shared.contracts.orders import OrderCreated, OrderState
from shared.db.base import utcnow
from shared.ids import new_id


def order_created(client: UUID, owner: UUID, number: int = 1) -> Envelope:
    order = OrderState(
        id=new_id(),
        number=f"2026-{number:06d}",
        service_id=new_id(),
        service_title="Leaking tap repair",
        client_id=client,
        owner_id=owner,
        worker_id=None,
        status="pending",
        payment_status="unpaid",
        total=Decimal("150000.00"),
        currency="UZS",
        version=1,
    )
    return Envelope(
        id=new_id(),
        name=OrderCreated.event_name,
        version=OrderCreated.event_version,
        occurred_at=utcnow(),
        producer="orders",
        correlation_id="bench",
        data=OrderCreated(order=order).model_dump(mode="json"),
    )
