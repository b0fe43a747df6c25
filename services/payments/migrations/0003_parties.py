"""payments of an owner and of a worker"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_payments_owner", "payments", ["owner_id"], unique=False)
    op.create_index(
        "ix_payments_worker",
        "payments",
        ["worker_id"],
        unique=False,
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_payments_worker", table_name="payments", postgresql_where=sa.text("worker_id IS NOT NULL"))
    op.drop_index("ix_payments_owner", table_name="payments")
