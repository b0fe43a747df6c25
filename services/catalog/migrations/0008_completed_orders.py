"""how often a service was ordered and done"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("services", sa.Column("completed_orders", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("services", "completed_orders", server_default=None)


def downgrade() -> None:
    op.drop_column("services", "completed_orders")
