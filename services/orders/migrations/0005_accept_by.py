"""accept by"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("accept_by", sa.DateTime(timezone=True), nullable=True))
    # What was pending before there was a deadline has its whole time from now on; but no appointment comes twice.
    op.execute(
        "UPDATE orders SET accept_by = least(now() + interval '24 hours', scheduled_at) WHERE status = 'pending'"
    )
    op.create_check_constraint(op.f("ck_orders_accept_by"), "orders", "(status = 'pending') = (accept_by IS NOT NULL)")
    op.create_index(
        "ix_orders_to_accept",
        "orders",
        ["accept_by"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("ix_orders_to_accept", table_name="orders", postgresql_where=sa.text("status = 'pending'"))
    op.drop_constraint(op.f("ck_orders_accept_by"), "orders", type_="check")
    op.drop_column("orders", "accept_by")
