"""What the books, the payments and the refunds must agree on. Each query finds the rows that do not."""

from collections.abc import Mapping

from sqlalchemy import text

from shared.db import Session

VIEWS = """
WITH of_orders AS (
    SELECT t.order_id, sum(e.amount) FILTER (WHERE e.account NOT LIKE 'clearing:%') AS here,
           sum(e.amount) FILTER (WHERE e.account = 'escrow') AS escrow
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
    WHERE t.order_id IS NOT NULL GROUP BY t.order_id
), cleared AS (
    SELECT t.payment_id, -sum(e.amount) FILTER (WHERE t.kind IN ('payment', 'duplicate')) AS booked_in,
           sum(e.amount) FILTER (WHERE t.kind = 'refund_completed') AS booked_back
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id AND e.account LIKE 'clearing:%'
    GROUP BY t.payment_id
), gone AS (
    SELECT payment_id, sum(amount) FILTER (WHERE status = 'completed') AS back,
           sum(amount) FILTER (WHERE status <> 'failed') AS counted
    FROM refunds GROUP BY payment_id
), of_payments AS (
    SELECT p.id, p.status, p.refunded, p.amount, CASE WHEN p.captured_at IS NULL THEN 0 ELSE p.amount END AS taken,
           coalesce(booked_in, 0) AS booked_in, coalesce(booked_back, 0) AS booked_back,
           coalesce(back, 0) AS back, coalesce(counted, 0) AS counted
    FROM payments p LEFT JOIN cleared ON cleared.payment_id = p.id LEFT JOIN gone ON gone.payment_id = p.id
)
"""
QUERIES: Mapping[str, str] = {
    "transaction {0} sums to {1} {2}, not to zero": """
        SELECT transaction_id, sum(amount), currency FROM ledger_entries
        GROUP BY transaction_id, currency HAVING sum(amount) <> 0""",
    "transaction {0} has no entries": """
        SELECT id FROM ledger_transactions t
        WHERE NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.transaction_id = t.id)""",
    "all entries in {0} sum to {1}, not to zero": """
        SELECT currency, sum(amount) FROM ledger_entries GROUP BY currency HAVING sum(amount) <> 0""",
    "order {0}: {1} was taken and not sent back, but the books have {2}": """
        SELECT p.order_id, sum(p.amount) - sum(p.refunded), coalesce(o.here, 0)
        FROM payments p LEFT JOIN of_orders o ON o.order_id = p.order_id WHERE p.captured_at IS NOT NULL
        GROUP BY p.order_id, o.here HAVING sum(p.amount) - sum(p.refunded) <> coalesce(o.here, 0)""",
    "order {0} has {1} in escrow": "SELECT order_id, escrow FROM of_orders WHERE escrow < 0",
    "payment {0} took {1}, but the books have {2}": """
        SELECT id, taken, booked_in FROM of_payments WHERE booked_in <> taken""",
    "payment {0} says that {1} went back; its refunds say {2}, the books {3}": """
        SELECT id, refunded, back, booked_back FROM of_payments
        WHERE refunded <> back OR refunded <> booked_back""",
    "payment {0} took {1}, but {2} of it went back or is promised": """
        SELECT id, taken, counted FROM of_payments WHERE counted > taken""",
    "payment {0} is {1}, although {2} of {3} went back": """
        SELECT id, status, refunded, amount FROM of_payments WHERE taken > 0 AND status <>
        CASE refunded WHEN 0 THEN 'completed' WHEN amount THEN 'refunded' ELSE 'partially_refunded' END""",
    "order {0} is paid {1} times over, and none of that is marked as a duplicate": """
        SELECT order_id, count(*) FROM payments
        WHERE status IN ('completed', 'partially_refunded') AND NOT duplicate GROUP BY order_id HAVING count(*) > 1""",
    "refund {0} is {1} over {2}, but the books have {3} due": """
        SELECT r.id, r.status, r.amount, coalesce(sum(e.amount), 0)
        FROM refunds r LEFT JOIN ledger_entries e ON e.account = 'refunds_due' AND e.owner_id = r.id
        GROUP BY r.id HAVING coalesce(sum(e.amount), 0)
                             <> CASE WHEN r.status IN ('pending', 'manual') THEN r.amount ELSE 0 END""",
    "payout {0} is over {1}, but the books have {2}": """
        SELECT p.id, p.amount, coalesce(sum(e.amount), 0) FROM payouts p
        LEFT JOIN ledger_transactions t ON t.payout_id = p.id
        LEFT JOIN ledger_entries e ON e.transaction_id = t.id AND e.account = 'payouts'
        GROUP BY p.id HAVING coalesce(sum(e.amount), 0) <> p.amount""",
}
"""What is wrong with each row → the query."""


async def differences(session: Session) -> list[str]:
    """Everything that does not agree, a line each; in a session of `Database.snapshot`."""
    connection = await session.connection()
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    found = {told: await connection.execute(text(VIEWS + query)) for told, query in QUERIES.items()}
    return [told.format(*row) for told, rows in found.items() for row in rows.all()]
