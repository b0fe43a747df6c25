"""click transactions"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "click_transactions",
        sa.Column("prepare_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("click_trans_id", sa.BigInteger(), nullable=False),
        sa.Column("paydoc_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'confirmed', 'cancelled')", name=op.f("ck_click_transactions_state")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_click_transactions_payment_id")),
        sa.PrimaryKeyConstraint("prepare_id", name=op.f("pk_click_transactions")),
        sa.UniqueConstraint("click_trans_id", name=op.f("uq_click_transactions_click_trans_id")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_click_transactions_payment_id")),
    )


def downgrade() -> None:
    op.drop_table("click_transactions")
