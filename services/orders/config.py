from datetime import timedelta

from shared.config import Duration, ServiceSettings


class OrdersSettings(ServiceSettings):
    """`REQUIRE_PAYMENT_BEFORE_START` lets an order begin only once it is paid. What nobody accepts within
    `ORDER_ACCEPT_TIMEOUT` is cancelled. `ESCROW_HOLD` after its completion the worker has the money, and a dispute
    comes too late."""

    require_payment_before_start: bool = False
    order_accept_timeout: Duration = timedelta(hours=24)
    escrow_hold: Duration = timedelta(hours=72)
    expire_every: Duration = timedelta(seconds=5)
    """How often orders that nobody accepted are looked for."""
