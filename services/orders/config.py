from shared.config import ServiceSettings


class OrdersSettings(ServiceSettings):
    """`REQUIRE_PAYMENT_BEFORE_START` lets an order begin only once it is paid."""

    require_payment_before_start: bool = False
