"""money"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


OLD_STATES = ("pending", "completed", "failed")
NEW_STATES = (*OLD_STATES, "cancelled", "partially_refunded", "refunded")
CHECKS = {
    "gateway": "gateway IN ('fake', 'live')",
    "refunded": "refunded BETWEEN 0 AND amount",
    "captured": "(captured_at IS NOT NULL) = (status IN ('completed', 'partially_refunded', 'refunded'))",
    "commission_rate": "commission_rate BETWEEN 0 AND 1",
    "duplicate": "captured_at IS NOT NULL OR NOT duplicate",
}

# The books refuse what does not balance when it is committed, and any change of what is written.
GUARDS = """
CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_entries WHERE transaction_id = NEW.transaction_id
               GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'ledger transaction % does not sum to zero', NEW.transaction_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE CONSTRAINT TRIGGER ledger_balances AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balances();
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
"""

# What was paid before there were books: all through the fake gateway, which charges at once. What orders has asked
# back meanwhile is opened as a refund.
BEFORE = """
UPDATE payments SET gateway = 'fake', held = status = 'pending', duplicate = false, expires_at = created_at,
    captured_at = CASE WHEN status = 'completed' THEN updated_at END,
    commission_rate = 0.10;
UPDATE orders SET completed_at = now() WHERE status = 'completed';
WITH booked AS (
    INSERT INTO ledger_transactions (id, kind, order_id, payment_id, at)
    SELECT gen_random_uuid(), 'payment', order_id, id, captured_at FROM payments WHERE status = 'completed'
    RETURNING id, payment_id
)
INSERT INTO ledger_entries (transaction_id, account, owner_id, amount, currency)
SELECT booked.id, entry.account, entry.owner_id, entry.amount, currency
FROM booked JOIN payments ON payments.id = booked.payment_id,
LATERAL (VALUES ('clearing:fake', NULL, -amount), ('escrow', order_id, amount)) AS entry (account, owner_id, amount);
INSERT INTO refunds (id, payment_id, amount, currency, reason, status, created_at)
SELECT gen_random_uuid(), payment_id, amount, currency, reason, 'pending', requested_at
FROM refund_requests JOIN payments ON payments.id = payment_id WHERE status = 'completed';
WITH booked AS (
    INSERT INTO ledger_transactions (id, kind, order_id, payment_id, refund_id, at)
    SELECT gen_random_uuid(), 'refund_opened', order_id, payment_id, refunds.id, now()
    FROM refunds JOIN payments ON payments.id = payment_id
    RETURNING id, refund_id
)
INSERT INTO ledger_entries (transaction_id, account, owner_id, amount, currency)
SELECT booked.id, entry.account, entry.owner_id, entry.amount, refunds.currency
FROM booked JOIN refunds ON refunds.id = booked.refund_id JOIN payments ON payments.id = refunds.payment_id,
LATERAL (VALUES ('escrow', order_id, -refunds.amount), ('refunds_due', refunds.id, refunds.amount))
    AS entry (account, owner_id, amount);
"""

# Of the states that there were, those that say whether the order is paid.
AFTER = """
UPDATE payments SET status = 'failed'
    WHERE status IN ('cancelled', 'refunded') OR duplicate;
UPDATE payments SET status = 'completed' WHERE status = 'partially_refunded';
"""


def upgrade() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("resolved", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    op.create_index(
        "ix_disputes_open", "disputes", ["order_id"], unique=False, postgresql_where=sa.text("NOT resolved")
    )
    op.create_table(
        "fake_refunds",
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("charge", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_fake_refunds")),
    )
    op.create_index("ix_fake_refunds_charge", "fake_refunds", ["charge"], unique=False)
    op.create_table(
        "keyed_calls",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("asked", sa.String(), nullable=False),
        sa.Column("thing_id", sa.Uuid(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "path", "key", name=op.f("pk_keyed_calls")),
    )
    op.create_index("ix_keyed_calls_begun", "keyed_calls", ["begun_at"], unique=False)
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("paid_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payouts_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("reference", name=op.f("uq_payouts_reference")),
    )
    op.create_index("ix_payouts_worker", "payouts", ["worker_id", "created_at"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("manual_reason", sa.String(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'completed') = (completed_at IS NOT NULL)", name=op.f("ck_refunds_completed")),
        sa.CheckConstraint("status <> 'manual' OR manual_reason IS NOT NULL", name=op.f("ck_refunds_manual")),
        sa.CheckConstraint("status IN ('pending', 'manual', 'completed', 'failed')", name=op.f("ck_refunds_status")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
    )
    op.create_index("ix_refunds_created", "refunds", ["created_at", "id"], unique=False)
    op.create_index("ix_refunds_payment", "refunds", ["payment_id", "created_at"], unique=False)
    op.create_index(
        "ix_refunds_requested_by",
        "refunds",
        ["requested_by"],
        unique=False,
        postgresql_where=sa.text("requested_by IS NOT NULL"),
    )
    op.create_index("ix_refunds_status", "refunds", ["status", "created_at", "id"], unique=False)
    op.create_table(
        "ledger_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("payout_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_ledger_transactions_payment_id")),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_ledger_transactions_payout_id")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_ledger_transactions_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transactions")),
    )
    op.create_index("ix_ledger_transactions_order", "ledger_transactions", ["order_id"], unique=False)
    op.create_index(
        "ix_ledger_transactions_refund",
        "ledger_transactions",
        ["refund_id"],
        unique=False,
        postgresql_where=sa.text("refund_id IS NOT NULL"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["ledger_transactions.id"], name=op.f("fk_ledger_entries_transaction_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger_entries")),
    )
    op.create_index("ix_ledger_entries_account", "ledger_entries", ["account", "owner_id", "seq"], unique=False)
    op.create_index("ix_ledger_entries_transaction", "ledger_entries", ["transaction_id"], unique=False)
    op.add_column("orders", sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_orders_number", "orders", ["number"], unique=False)
    op.add_column("payments", sa.Column("gateway", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("held", sa.Boolean(), nullable=True))
    op.add_column("payments", sa.Column("duplicate", sa.Boolean(), nullable=True))
    op.add_column("payments", sa.Column("return_url", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("checkout_url", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("attention", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("commission_rate", sa.Numeric(precision=5, scale=4), nullable=True))
    op.add_column("payments", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payments", sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payments", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(BEFORE)
    for column in ("gateway", "held", "duplicate", "commission_rate", "expires_at"):
        op.alter_column("payments", column, nullable=False)
    _states(NEW_STATES)
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_payments_{name}"), "payments", rule)
    op.execute(GUARDS)
    _active("status IN ('pending', 'completed', 'partially_refunded') AND NOT duplicate")
    op.create_index(
        "ix_payments_attention",
        "payments",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("attention IS NOT NULL"),
    )
    op.create_index("ix_payments_created", "payments", ["created_at", "id"], unique=False)
    op.create_index("ix_payments_order", "payments", ["order_id"], unique=False)
    op.create_index(
        "ix_payments_to_expire",
        "payments",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND NOT held"),
    )
    op.create_index(
        "ix_payments_to_release",
        "payments",
        ["captured_at"],
        unique=False,
        postgresql_where=sa.text(
            "released_at IS NULL AND status IN ('completed', 'partially_refunded') AND NOT duplicate"
        ),
    )


def downgrade() -> None:
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_payments_{name}"), "payments")
    op.execute(AFTER)
    _active("status IN ('pending', 'completed')")
    _states(OLD_STATES)
    op.drop_index(
        "ix_payments_to_release",
        table_name="payments",
        postgresql_where=sa.text(
            "released_at IS NULL AND status IN ('completed', 'partially_refunded') AND NOT duplicate"
        ),
    )
    op.drop_index(
        "ix_payments_to_expire", table_name="payments", postgresql_where=sa.text("status = 'pending' AND NOT held")
    )
    op.drop_index("ix_payments_order", table_name="payments")
    op.drop_index("ix_payments_created", table_name="payments")
    op.drop_index("ix_payments_attention", table_name="payments", postgresql_where=sa.text("attention IS NOT NULL"))
    op.drop_column("payments", "released_at")
    op.drop_column("payments", "captured_at")
    op.drop_column("payments", "expires_at")
    op.drop_column("payments", "commission_rate")
    op.drop_column("payments", "attention")
    op.drop_column("payments", "checkout_url")
    op.drop_column("payments", "return_url")
    op.drop_column("payments", "duplicate")
    op.drop_column("payments", "held")
    op.drop_column("payments", "gateway")
    op.drop_index("ix_orders_number", table_name="orders")
    op.drop_column("orders", "completed_at")
    op.drop_index("ix_ledger_entries_transaction", table_name="ledger_entries")
    op.drop_index("ix_ledger_entries_account", table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_index(
        "ix_ledger_transactions_refund",
        table_name="ledger_transactions",
        postgresql_where=sa.text("refund_id IS NOT NULL"),
    )
    op.drop_index("ix_ledger_transactions_order", table_name="ledger_transactions")
    op.drop_table("ledger_transactions")
    op.execute("DROP FUNCTION ledger_balances, ledger_is_append_only")
    op.drop_index("ix_refunds_status", table_name="refunds")
    op.drop_index("ix_refunds_requested_by", table_name="refunds", postgresql_where=sa.text("requested_by IS NOT NULL"))
    op.drop_index("ix_refunds_payment", table_name="refunds")
    op.drop_index("ix_refunds_created", table_name="refunds")
    op.drop_table("refunds")
    op.drop_index("ix_payouts_worker", table_name="payouts")
    op.drop_table("payouts")
    op.drop_index("ix_keyed_calls_begun", table_name="keyed_calls")
    op.drop_table("keyed_calls")
    op.drop_index("ix_fake_refunds_charge", table_name="fake_refunds")
    op.drop_table("fake_refunds")
    op.drop_index("ix_disputes_open", table_name="disputes", postgresql_where=sa.text("NOT resolved"))
    op.drop_table("disputes")


def _states(states: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payments_status"), "payments")
    listed = ", ".join(f"'{state}'" for state in states)
    op.create_check_constraint(op.f("ck_payments_status"), "payments", f"status IN ({listed})")


def _active(condition: str) -> None:
    op.drop_index("uq_payments_active", table_name="payments")
    op.create_index("uq_payments_active", "payments", ["order_id"], unique=True, postgresql_where=sa.text(condition))
