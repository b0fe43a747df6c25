"""indexes of narrowed lists"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HANDS = "coalesce(worker_id, owner_id)"


def upgrade() -> None:
    op.drop_index("ix_orders_client", table_name="orders")
    op.create_index(
        "ix_orders_client", "orders", ["client_id", "created_at", "id", "status", "payment_status"], unique=False
    )
    op.drop_index("ix_orders_hands", table_name="orders")
    op.create_index(
        "ix_orders_hands",
        "orders",
        [sa.literal_column(HANDS), "created_at", "id", "status", "payment_status"],
        unique=False,
    )
    op.create_index("ix_orders_statuses", "orders", ["status", "payment_status", "created_at", "id"], unique=False)
    op.create_index(
        "ix_people_inactive", "people", ["id"], unique=False, postgresql_where=sa.text("is_active IS false")
    )
    # Some of the pairs never are. Taken for independent, they would be looked for along an index of one of the two.
    op.execute("CREATE STATISTICS st_orders_statuses (mcv) ON status, payment_status FROM orders")


def downgrade() -> None:
    op.execute("DROP STATISTICS st_orders_statuses")
    op.drop_index("ix_people_inactive", table_name="people", postgresql_where=sa.text("is_active IS false"))
    op.drop_index("ix_orders_statuses", table_name="orders")
    op.drop_index("ix_orders_hands", table_name="orders")
    op.create_index("ix_orders_hands", "orders", [sa.literal_column(HANDS), "created_at", "id"], unique=False)
    op.drop_index("ix_orders_client", table_name="orders")
    op.create_index("ix_orders_client", "orders", ["client_id", "created_at", "id"], unique=False)
