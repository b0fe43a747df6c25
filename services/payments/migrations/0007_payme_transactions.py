"""payme transactions"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payme_transactions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("perform_time", sa.BigInteger(), nullable=False),
        sa.Column("cancel_time", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=True),
        sa.Column("perform_fiscal_data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("cancel_fiscal_data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payme_transactions_amount")),
        sa.CheckConstraint("state IN (1, 2, -1, -2)", name=op.f("ck_payme_transactions_state")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payme_transactions_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payme_transactions")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_payme_transactions_payment_id")),
    )
    op.create_index(
        "ix_payme_transactions_overdue",
        "payme_transactions",
        ["time"],
        unique=False,
        postgresql_where=sa.text("state = 1"),
    )
    op.create_index("ix_payme_transactions_time", "payme_transactions", ["time", "id"], unique=False)
    op.create_index(
        "uq_payme_transactions_created",
        "payme_transactions",
        ["order_number"],
        unique=True,
        postgresql_where=sa.text("state = 1"),
    )
    op.create_table(
        "payme_receipts",
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payme_receipts_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payme_receipts")),
        sa.UniqueConstraint("receipt_id", name=op.f("uq_payme_receipts_receipt_id")),
    )


def downgrade() -> None:
    op.drop_table("payme_receipts")
    op.drop_index(
        "uq_payme_transactions_created", table_name="payme_transactions", postgresql_where=sa.text("state = 1")
    )
    op.drop_index("ix_payme_transactions_time", table_name="payme_transactions")
    op.drop_index(
        "ix_payme_transactions_overdue", table_name="payme_transactions", postgresql_where=sa.text("state = 1")
    )
    op.drop_table("payme_transactions")
