"""Tables of payments."""

from services.payments.models.money import (
    HOLDS_MONEY,
    Base,
    Dispute,
    KeyedCall,
    LedgerEntry,
    LedgerTransaction,
    OrderCopy,
    Payment,
    Payout,
    Refund,
    RefundRequest,
)
from services.payments.models.providers import (
    ClickTransactionRow,
    FakeCharge,
    FakeRefund,
    PaymeReceipt,
    PaymeTransactionRow,
)

__all__ = [
    "HOLDS_MONEY",
    "Base",
    "ClickTransactionRow",
    "Dispute",
    "FakeCharge",
    "FakeRefund",
    "KeyedCall",
    "LedgerEntry",
    "LedgerTransaction",
    "OrderCopy",
    "PaymeReceipt",
    "PaymeTransactionRow",
    "Payment",
    "Payout",
    "Refund",
    "RefundRequest",
]
