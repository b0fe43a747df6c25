from datetime import timedelta

from shared.config import Duration, ServiceSettings


class OrdersSettings(ServiceSettings):
    """`REQUIRE_PAYMENT_BEFORE_START` lets an order begin only once it is paid; what nobody accepts within
    `ORDER_ACCEPT_TIMEOUT` is cancelled."""

    require_payment_before_start: bool = False
    order_accept_timeout: Duration = timedelta(hours=24)
    expire_every: Duration = timedelta(seconds=5)
    """How often orders that nobody accepted are looked for."""
