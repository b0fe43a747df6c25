"""indexes of lists"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_orders_created", "orders", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_orders_hands",
        "orders",
        [sa.literal_column("coalesce(worker_id, owner_id)"), "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_orders_payment_status",
        "orders",
        ["payment_status", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_orders_status",
        "orders",
        ["status", "created_at", "id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_orders_status", table_name="orders")
    op.drop_index("ix_orders_payment_status", table_name="orders")
    op.drop_index("ix_orders_hands", table_name="orders")
    op.drop_index("ix_orders_created", table_name="orders")
