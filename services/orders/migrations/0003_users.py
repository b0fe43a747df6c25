"""users who are banned, confirmed or erased"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_order_history_noted_by",
        "order_history",
        ["actor_id"],
        unique=False,
        postgresql_where=sa.text("note IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_under_way",
        "orders",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('assigned', 'in_progress')"),
    )
    op.add_column("people", sa.Column("is_confirmed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.alter_column("people", "is_confirmed", server_default=None)
    op.alter_column("people", "role", existing_type=sa.VARCHAR(), nullable=True)


def downgrade() -> None:
    op.execute("UPDATE people SET role = 'client' WHERE role IS NULL")
    op.alter_column("people", "role", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("people", "is_confirmed")
    op.drop_index(
        "ix_orders_under_way",
        table_name="orders",
        postgresql_where=sa.text("status IN ('assigned', 'in_progress')"),
    )
    op.drop_index("ix_order_history_noted_by", table_name="order_history", postgresql_where=sa.text("note IS NOT NULL"))
