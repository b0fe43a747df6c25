"""disputes"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refund_amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'resolved') = (refund_amount IS NOT NULL)", name=op.f("ck_disputes_decided")),
        sa.CheckConstraint("(status = 'resolved') = (resolved_at IS NOT NULL)", name=op.f("ck_disputes_resolved")),
        sa.CheckConstraint("status IN ('open', 'resolved')", name=op.f("ck_disputes_status")),
        sa.CheckConstraint("refund_amount >= 0", name=op.f("ck_disputes_refund_amount")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_disputes_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    op.create_index("ix_disputes_opened_by", "disputes", ["opened_by"], unique=False)
    op.create_index("ix_disputes_order", "disputes", ["order_id", "opened_at"], unique=False)
    op.create_index(
        "ix_disputes_resolved_by",
        "disputes",
        ["resolved_by"],
        unique=False,
        postgresql_where=sa.text("resolved_by IS NOT NULL"),
    )
    op.create_index(
        "uq_disputes_open", "disputes", ["order_id"], unique=True, postgresql_where=sa.text("status = 'open'")
    )


def downgrade() -> None:
    op.drop_index(
        "uq_disputes_open",
        table_name="disputes",
        postgresql_where=sa.text("status = 'open'"),
    )
    op.drop_index("ix_disputes_resolved_by", table_name="disputes", postgresql_where=sa.text("resolved_by IS NOT NULL"))
    op.drop_index("ix_disputes_order", table_name="disputes")
    op.drop_index("ix_disputes_opened_by", table_name="disputes")
    op.drop_table("disputes")
