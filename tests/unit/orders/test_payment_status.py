"""What an order says of its money follows from what its payments took and gave back."""

from decimal import Decimal

import pytest

from services.orders.domain import payment_status

TOTAL = Decimal("150000.00")


@pytest.mark.parametrize(
    ("paid", "refunded", "status"),
    [
        ("0.00", "0.00", "unpaid"),
        ("150000.00", "0.00", "paid"),
        ("150000.00", "0.01", "partially_refunded"),
        ("150000.00", "149999.99", "partially_refunded"),
        ("150000.00", "150000.00", "refunded"),
        ("300000.00", "0.00", "paid"),
        ("300000.00", "150000.00", "paid"),
        ("300000.00", "150000.01", "partially_refunded"),
        ("300000.00", "300000.00", "refunded"),
    ],
)
def test_an_order_is_paid_as_long_as_its_price_is_with_us(paid: str, refunded: str, status: str) -> None:
    assert payment_status(TOTAL, Decimal(paid), Decimal(refunded)) == status
